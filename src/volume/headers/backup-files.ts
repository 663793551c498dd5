import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { VolumeContext } from '../context.ts';
import { readLuksHeader } from '../luks-header.ts';

/** One copy of a header, perhaps in two places. */
export interface BackupFile {
  /** `<uuid>.<time>.img`: the same name in both places. */
  readonly name: string;
  readonly uuid: string;
  /** `backup`: made to be restored. `replaced`: what a restore found in the container. */
  readonly kind: 'backup' | 'replaced';
  /** The UUID in a file of it that is of another container than its name says; null where each is ours, or cannot be read. */
  readonly foreign: string | null;
  /** When it was made: an ISO 8601 time. */
  readonly at: string;
  /** Bytes of one of them. */
  readonly bytes: number;
  /** Absolute paths, the first place first. */
  readonly files: readonly string[];
}

const pattern = /^([0-9a-f-]{36})\.(\d{8}T\d{6}(?:\d{3})?Z)(\.replaced)?\.img$/;

const toIso = (stamp: string): string =>
  stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{0,3})Z$/, (_, y, mo, d, h, mi, s, ms: string) => {
    return `${y}-${mo}-${d}T${h}:${mi}:${s}.${ms === '' ? '000' : ms}Z`;
  });

export const stampOf = (at: Date): string => at.toISOString().replaceAll(/[-:.]/g, '');

/** The places, the first one first; one alone where no second is known. */
export const backupPlaces = ({ layout }: VolumeContext): string[] =>
  layout.headerCopies === null ? [layout.headers] : [layout.headers, layout.headerCopies];

/** Everything of this container in both places that a crash or a change may have left under a name of ours. */
export const backupNames = async (context: VolumeContext, uuid: string): Promise<string[]> => {
  const inEach = backupPlaces(context).map(async (place) =>
    (await readdir(place))
      .filter((file) => file.startsWith(`${uuid}.`) || file.startsWith(`.${uuid}.`))
      .map((file) => path.join(place, file)),
  );
  return (await Promise.all(inEach)).flat();
};

/** A name says nothing about what was copied to it. What cannot be read is told by whoever needs it. */
const foreignIn = async (files: readonly string[], uuid: string): Promise<string | null> => {
  for (const file of files) {
    const header = await readLuksHeader(file).catch(() => undefined);
    if (header !== undefined && header.uuid !== uuid) return header.uuid;
  }
  return null;
};

/** The copies of this container's header, newest first. Makings that a crash left are none. */
export const listBackups = async (context: VolumeContext, uuid: string): Promise<BackupFile[]> => {
  const byName = new Map<string, string[]>();
  for (const file of await backupNames(context, uuid)) {
    const name = path.basename(file);
    if (pattern.test(name)) byName.set(name, [...(byName.get(name) ?? []), file]);
  }
  const found = [...byName].map(async ([name, files]): Promise<BackupFile> => {
    const [, of = uuid, stamp = '', replaced] = pattern.exec(name) ?? [];
    const { size } = await stat(files[0] ?? '');
    return {
      name,
      uuid: of,
      kind: replaced === undefined ? 'backup' : 'replaced',
      foreign: await foreignIn(files, of),
      at: toIso(stamp),
      bytes: size,
      files,
    };
  });
  return (await Promise.all(found)).sort((a, b) => (a.name < b.name ? 1 : -1));
};
