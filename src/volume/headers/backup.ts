/** Copies of a container's header: what saves a volume whose header is damaged, and what a removed key still opens. */
import { rename } from 'node:fs/promises';
import path from 'node:path';
import { ReelError } from '../../errors.ts';
import { layoutOf } from '../../luks/header/header-areas.ts';
import { type Header, readHeader } from '../../luks/header/read-header.ts';
import type { VolumeContext } from '../context.ts';
import { syncDirectory } from '../directories.ts';
import { shred } from '../shred.ts';
import { withUndo } from '../undo.ts';
import { backupNames, backupPlaces, listBackups, stampOf } from './backup-files.ts';
import { digestArea, saveArea } from './header-area.ts';
import { sameSlots, slotsOf } from './slots.ts';

export interface BackedUp {
  /** Where the container lies now. */
  readonly path: string;
  readonly uuid: string;
}

/**
 * Copies with the same keys as the container that are kept, the newest among them. More than one, because the newest may have been made
 * of a header that was bad in a way nobody had noticed; not many, because each is a thing to guard.
 */
const kept = 3;

/** The part of a header that changes with each change of it: LUKS2's first block has a count and a checksum, LUKS1's has its slots. */
const headBytes = 4096;

const readable = async (file: string): Promise<Extract<Header, { type: 'luks1' | 'luks2' }>> => {
  const header = await readHeader(file);
  if (header.type === 'luks1' || (header.type === 'luks2' && header.agree)) return header;
  throw new ReelError('luks-damaged', {
    expected: `a whole header in ${file}`,
    got: header.type === 'none' ? 'none' : 'a damaged one',
    hint: 'a copy of it would be damaged too: repair the header first (`reelvault volume header repair`)',
  });
};

/** Writes `name` into `place` under a name with a dot, proves it, and names it. After a failure nothing of it is left. */
const writeCopy = (
  context: VolumeContext,
  container: BackedUp,
  bytes: number,
  place: string,
  name: string,
): Promise<string> =>
  withUndo(async (undo) => {
    const [making, target] = [path.join(place, `.${name}`), path.join(place, name)];
    undo.push(making, () => shred(making));
    await saveArea(container.path, making, bytes);
    const [wanted, found] = [await digestArea(container.path, bytes), await digestArea(making, bytes)];
    const { uuid } = await context.luks.dump(making);
    if (wanted !== found || uuid !== container.uuid) {
      throw new ReelError('io-error', { expected: `a copy of the header of ${container.uuid}`, got: 'other bytes' });
    }
    await rename(making, target);
    undo.push(target, () => shred(target));
    await syncDirectory(place);
    return target;
  });

/**
 * Writes a new copy of the header to each place, read back and durable under its name on return; the answer is the one in the first place.
 * Root's alone: it opens with the keys of today for ever. A crash leaves names that start with a dot, which the next removal takes away.
 * Throws `luks-damaged` for a header that is not whole.
 */
export const backUpHeader = async (context: VolumeContext, container: BackedUp): Promise<string> => {
  const { headerBytes } = layoutOf(await readable(container.path));
  const name = `${container.uuid}.${stampOf(new Date())}.img`;
  const files: string[] = [];
  for (const place of backupPlaces(context)) files.push(await writeCopy(context, container, headerBytes, place, name));
  return files[0] ?? '';
};

/**
 * The files that are to go: those with other keys than the container (a key that was removed would still open one), those that a crash
 * left, and what is more than `kept`.
 * One that cannot be read goes too: nobody can restore it, and what it holds is key material all the same.
 */
const superfluous = async (context: VolumeContext, container: BackedUp): Promise<string[]> => {
  const current = slotsOf(await readable(container.path));
  const good = new Set<string>();
  for (const backup of await listBackups(context, container.uuid)) {
    const header = await readHeader(backup.files[0] ?? '');
    const usable = header.type === 'luks1' || header.type === 'luks2';
    if (usable && good.size < kept && sameSlots(slotsOf(header), current)) good.add(backup.name);
  }
  return (await backupNames(context, container.uuid)).filter((file) => !good.has(path.basename(file)));
};

/** Whether the newest backup is of the header as it is now, in each place, and no other is superfluous. */
export const isBackedUp = async (context: VolumeContext, container: BackedUp): Promise<boolean> => {
  const newest = (await listBackups(context, container.uuid)).find(({ kind }) => kind === 'backup');
  if (newest === undefined || newest.files.length < backupPlaces(context).length) return false;
  const digests = [container.path, ...newest.files].map((file) => digestArea(file, headBytes));
  if (new Set(await Promise.all(digests)).size > 1) return false;
  return (await superfluous(context, container)).length === 0;
};

/**
 * Makes a new copy, then destroys those that open with keys the container no longer has. Returns how many files were destroyed.
 * Idempotent, and at each moment at least one whole copy exists in each place.
 */
export const renewHeaderBackup = async (context: VolumeContext, container: BackedUp): Promise<number> => {
  await backUpHeader(context, container);
  const old = await superfluous(context, container);
  for (const file of old) await shred(file);
  return old.length;
};

/** Destroys every copy in both places. Returns files and bytes. */
export const removeHeaderBackups = async (
  context: VolumeContext,
  uuid: string,
): Promise<{ readonly files: number; readonly bytes: number }> => {
  const files = await backupNames(context, uuid);
  let bytes = 0;
  for (const file of files) bytes += await shred(file);
  return { files: files.length, bytes };
};
