import path from 'node:path';
import { ReelError } from '../../errors.ts';
import { uuidOf } from '../../luks/header/findings.ts';
import { type Header, readHeader } from '../../luks/header/read-header.ts';
import type { VolumeContext } from '../context.ts';
import { type BackupFile, listBackups } from './backup-files.ts';

export type WholeHeader = Extract<Header, { type: 'luks1' | 'luks2' }>;

export interface Chosen {
  readonly backup: BackupFile;
  /** The one of its files that is whole. */
  readonly file: string;
  readonly header: WholeHeader;
}

const otherContainer = (uuid: string, got: string): ReelError =>
  new ReelError('backup-foreign', {
    expected: `a header backup of the container ${uuid}`,
    got: `one of ${got}`,
    hint: 'a header of another container would make the data unreadable for good',
  });

/** The file of a backup that is whole; a copy in one place may be damaged. */
const wholeFile = async (backup: BackupFile): Promise<Chosen | undefined> => {
  for (const file of backup.files) {
    const header = await readHeader(file);
    if (header.type === 'luks1' || (header.type === 'luks2' && header.agree)) return { backup, file, header };
  }
  return undefined;
};

/**
 * The backup of this name, or the newest. Throws `not-found`, `backup-foreign` for one of another container (by its name or by what is in it),
 * `luks-damaged` for one that is not whole.
 */
export const chooseBackup = async (context: VolumeContext, uuid: string, name?: string): Promise<Chosen> => {
  if (name !== undefined && !name.startsWith(`${uuid}.`)) throw otherContainer(uuid, name.split('.')[0] ?? name);
  const backups = await listBackups(context, uuid);
  const wanted = backups.filter((backup) => (name === undefined ? backup.kind === 'backup' : backup.name === name));
  if (wanted.length === 0) {
    throw new ReelError('not-found', {
      expected: name === undefined ? `a header backup of ${uuid}` : `the header backup ${name}`,
      got: backups.length === 0 ? 'none' : backups.map((backup) => backup.name).join(', '),
      hint: `put one into ${context.layout.headers} under a name of this form: ${uuid}.20260101T000000000Z.img`,
    });
  }
  for (const backup of wanted) {
    const chosen = await wholeFile(backup);
    if (chosen === undefined) continue;
    if (uuidOf(chosen.header) !== uuid) throw otherContainer(uuid, uuidOf(chosen.header));
    return chosen;
  }
  throw new ReelError('luks-damaged', {
    expected: 'a whole header backup',
    got: `damage in ${wanted.flatMap(({ files }) => files.map((file) => path.basename(file))).join(', ')}`,
  });
};
