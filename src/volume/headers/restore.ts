import { readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { replacePrivateFile } from '../../config/private-file.ts';
import { sizeText } from '../../config/size.ts';
import { ReelError } from '../../errors.ts';
import { layoutOf } from '../../luks/header/header-areas.ts';
import { reached, type VolumeContext } from '../context.ts';
import { exists, removeFile, syncDirectory } from '../directories.ts';
import { refuseUnderReencryption } from '../reencrypt/refuse.ts';
import { shred } from '../shred.ts';
import { withUndo } from '../undo.ts';
import { backUpHeader } from './backup.ts';
import { listBackups, stampOf } from './backup-files.ts';
import { type Chosen, chooseBackup, type WholeHeader } from './choose-backup.ts';
import { type Found, findContainer, refuseOpen, type Which } from './find-container.ts';
import { digestArea, putArea, saveArea } from './header-area.ts';
import { slotsBeside, slotsOf } from './slots.ts';

export interface RestoreRequest extends Which {
  /** Name of the backup; the newest without one. */
  readonly backup?: string | undefined;
  /** Also where the backup has other keys than the container. */
  readonly force: boolean;
}

export interface RestoreReport {
  readonly restored: string;
  /** What was in the container before: a backup by this name, to go back to. */
  readonly replaced: string;
  readonly bytes: number;
  readonly keyslots: { readonly broughtBack: readonly number[]; readonly takenAway: readonly number[] };
}

/** What a restore has decided on, kept beside the container until it is done. */
interface Plan {
  readonly backup: string;
  readonly replaced: string;
}

const readPlan = async (file: string): Promise<Plan | undefined> =>
  (await exists(file)) ? (JSON.parse(await readFile(file, 'utf8')) as Plan) : undefined;

const list = (slots: readonly number[]): string => `keyslot${slots.length === 1 ? '' : 's'} ${slots.join(', ')}`;

/** Which keys change hands. Null where the container's own header cannot be read. */
const keyChange = ({ header }: Found, chosen: Chosen): RestoreReport['keyslots'] | null => {
  if (header.type === 'none' || header.type === 'damaged') return null;
  const [now, then] = [slotsOf(header), slotsOf(chosen.header)];
  return { broughtBack: slotsBeside(then, now), takenAway: slotsBeside(now, then) };
};

const underReencryption = ({ current }: Extract<WholeHeader, { type: 'luks2' }>): boolean =>
  (current.metadata.config.requirements?.mandatory ?? []).some((name) => name.includes('reencrypt'));

/** Throws `header-older` for a backup whose keys are not those of the container, with a word on what it would bring back. */
const refuseOther = async (context: VolumeContext, found: Found, chosen: Chosen): Promise<void> => {
  const change = keyChange(found, chosen);
  const words: string[] = [];
  if (change !== null && change.broughtBack.length > 0) {
    words.push(
      `it brings ${list(change.broughtBack)} back: a key that was removed or changed since opens the volume again`,
    );
  }
  if (change !== null && change.takenAway.length > 0) {
    words.push(`it takes ${list(change.takenAway)} away: that key does not open the volume any more`);
  }
  if (chosen.header.type === 'luks2' && underReencryption(chosen.header)) {
    words.push(
      'it was made during a reencryption: data that was written since is lost unless that stands where it stood then',
    );
  }
  if (change === null) {
    const newest = (await listBackups(context, found.uuid)).find(({ kind }) => kind === 'backup');
    if (newest !== undefined && newest.name > chosen.backup.name) {
      words.push(`it is not the newest (${newest.name}): keys that were removed between the two open the volume again`);
    }
  }
  if (words.length === 0) return;
  throw new ReelError('header-older', {
    expected: 'a backup with the keys that the container has',
    got: `${chosen.backup.name}: ${words.join('; ')}`,
    hint: 'repeat it with force to accept this',
    details: { backup: chosen.backup.name, keyslots: change },
  });
};

/** Keeps what lies in the container now, whole or not. After a failure nothing of it is left. */
const keepReplaced = (context: VolumeContext, { paths, uuid }: Found, bytes: number): Promise<string> =>
  withUndo(async (undo) => {
    const name = `${uuid}.${stampOf(new Date())}.replaced.img`;
    const { headers } = context.layout;
    const [making, target] = [path.join(headers, `.${name}`), path.join(headers, name)];
    undo.push(making, () => shred(making));
    await saveArea(paths.container, making, bytes);
    await rename(making, target);
    undo.push(target, () => shred(target));
    await syncDirectory(headers);
    return name;
  });

const dropOlder = async (context: VolumeContext, uuid: string, kept: string): Promise<void> => {
  for (const { kind, name, files } of await listBackups(context, uuid)) {
    if (kind === 'replaced' && name !== kept) for (const file of files) await shred(file);
  }
};

/** Key material first, the primary header last: until that is there, the container has no header that a key would open. */
const write = async (context: VolumeContext, container: string, { file, header }: Chosen, bytes: number) => {
  const copy = header.type === 'luks2' ? header.current.bytes : 4096;
  const copies = header.type === 'luks2' ? 2 * copy : copy;
  await putArea(file, container, copies, bytes);
  reached(context, 'restore-material');
  await putArea(file, container, copy, copies);
  reached(context, 'restore-secondary');
  await putArea(file, container, 0, copy);
  reached(context, 'restore-primary');
  const [wanted, got] = [await digestArea(file, bytes), await digestArea(container, bytes)];
  if (wanted === got) return;
  throw new ReelError('io-error', { expected: 'the bytes of the backup in the container', got: 'other bytes' });
};

/**
 * The procedure "Restore" of docs/volumes.md; an interrupted one is taken up by the same call. Throws `volume-busy`, `container-replaced`, `backup-foreign`,
 * `header-older`, `container-short`, `luks-damaged`, `not-found`; until the marker is written nothing is changed.
 */
export const restoreHeader = async (context: VolumeContext, request: RestoreRequest): Promise<RestoreReport> => {
  // 1 the volume is locked
  const paths = context.layout.paths(request.name, request.container);
  const plan = await readPlan(paths.restoring);
  const found = await findContainer(context, { ...request, uuid: request.uuid ?? plan?.backup.split('.')[0] });
  await refuseOpen(context, found);
  // A restore that was begun is finished: the header in the container may be any mixture.
  if (plan === undefined) await refuseUnderReencryption(found);
  // 2 the backup
  const chosen = await chooseBackup(context, found.uuid, request.backup ?? plan?.backup);
  const bytes = chosen.backup.bytes;
  if (found.header.size < bytes) {
    throw new ReelError('container-short', {
      expected: `a container of ${sizeText(bytes)} or more`,
      got: sizeText(found.header.size),
    });
  }
  await context.luks.dump(chosen.file);
  const change = keyChange(found, chosen) ?? { broughtBack: [], takenAway: [] };
  if (plan?.backup !== chosen.backup.name && !request.force) await refuseOther(context, found, chosen);
  // 3 what is there now
  const { header } = found;
  const present = header.type === 'luks1' || header.type === 'luks2' ? layoutOf(header).headerBytes : bytes;
  const replaced = plan?.replaced ?? (await keepReplaced(context, found, Math.max(bytes, present)));
  reached(context, 'restore-saved');
  // 4 marker
  await replacePrivateFile(paths.restoring, JSON.stringify({ backup: chosen.backup.name, replaced } satisfies Plan));
  reached(context, 'restore-marked');
  // 5 write and prove
  await write(context, paths.container, chosen, bytes);
  await context.luks.dump(paths.container);
  // 6 the newest backup is that of the header that counts now
  await backUpHeader(context, { path: paths.container, uuid: found.uuid });
  await removeFile(paths.restoring);
  await dropOlder(context, found.uuid, replaced);
  reached(context, 'restored');
  return { restored: chosen.backup.name, replaced, bytes, keyslots: change };
};
