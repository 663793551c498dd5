import { open, statfs } from 'node:fs/promises';
import path from 'node:path';
import { sizeText } from '../../config/size.ts';
import { ReelError, toReelError } from '../../errors.ts';
import { run } from '../../exec/run.ts';
import { syncDirectory } from '../directories.ts';

const btrfs = 0x9123683e;
/** A header backup is as large as the header's area: 16 MiB for LUKS2. */
const besidesContainer = 17 * 1024 * 1024;
/** What a sparse container takes at once: header, journal, inode tables. The rest comes as it is written, or does not. */
const sparseNeeds = 128 * 1024 * 1024;
const allocateTimeoutMs = 30 * 60_000;

export interface Allocation {
  readonly size: number;
  /** Blocks are taken from the filesystem below only as they are written. */
  readonly sparse: boolean;
}

/**
 * A new file of `size` bytes, with every block of it allocated unless it is sparse: a hole found full later would lose what was
 * acknowledged. Throws `no-space`.
 */
export const allocate = async (file: string, { size, sparse }: Allocation): Promise<void> => {
  const directory = path.dirname(file);
  const needed = sparse ? Math.min(size, sparseNeeds) : size;
  const free = await available(directory);
  if (free < needed + besidesContainer) throw noSpace(directory, needed, free);
  const handle = await open(file, 'wx', 0o600);
  try {
    // Copy on write would move every block that is written again; only an empty file can be told not to.
    if ((await statfs(directory)).type === btrfs) await run('chattr', ['+C', file], { timeoutMs: 10_000 });
    if (sparse) await handle.truncate(size);
    else await run('fallocate', ['--length', String(size), file], { timeoutMs: allocateTimeoutMs });
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncDirectory(directory);
};

const available = async (directory: string): Promise<number> => {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
};

const noSpace = (directory: string, needed: number, free: number, cause?: unknown): ReelError =>
  new ReelError('no-space', {
    expected: `${sizeText(needed + besidesContainer)} free in ${directory}, for the container and a copy of its header`,
    got: sizeText(free),
    hint: 'make space, or create a smaller volume',
    cause,
  });

/** Not every program says "no space": the filesystem is asked whether that is what stopped it. */
export const explainNoSpace = async (thrown: unknown, directory: string): Promise<unknown> => {
  const { code } = toReelError(thrown);
  if (code !== 'no-space' && code !== 'io-error' && code !== 'command-failed') return thrown;
  const free = await available(directory);
  return free < besidesContainer ? noSpace(directory, 0, free, thrown) : thrown;
};
