import { open, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { sizeText } from '../../config/size.ts';
import { ReelError, toReelError } from '../../errors.ts';
import { run } from '../../exec/run.ts';

/** While blocks are allocated the host's filesystem lets nobody write the file; between two pieces it does. */
const piece = 1024 ** 3;
const pieceTimeoutMs = 10 * 60_000;

/** Bytes of the file and bytes of storage it holds, blocks beyond its end included. */
export const measure = async (file: string): Promise<{ readonly size: number; readonly allocated: number }> => {
  const { size, blocks } = await stat(file);
  return { size, allocated: blocks * 512 };
};

const available = async (directory: string): Promise<number> => {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
};

const noSpace = (directory: string, needed: number, free: number, cause?: unknown): ReelError =>
  new ReelError('no-space', {
    expected: `${sizeText(needed)} free in ${directory} for the larger container`,
    got: sizeText(free),
    hint: 'make space, or grow the volume by less',
    cause,
  });

/** Bytes of storage that `file` needs to have `to` of them without a hole. A sparse file stays sparse and needs none. */
const needs = async (file: string, to: number): Promise<number> => {
  const { size, allocated } = await measure(file);
  return allocated < size ? 0 : Math.max(0, to - allocated);
};

/** Throws `no-space`. */
export const refuseNoSpace = async (file: string, to: number): Promise<void> => {
  const needed = await needs(file, to);
  const free = await available(path.dirname(file));
  if (free < needed) throw noSpace(path.dirname(file), needed, free);
};

/**
 * Gives `file` storage up to `to` bytes, beyond its end: until it is lengthened, nobody sees or uses it. A sparse file stays sparse.
 * Throws `no-space`; then the file holds what it held before.
 */
export const allocate = async (file: string, to: number): Promise<void> => {
  const needed = await needs(file, to);
  if (needed === 0) return;
  const { size } = await measure(file);
  try {
    for (let at = size; at < to; at += piece) {
      const range = ['--offset', String(at), '--length', String(Math.min(piece, to - at))];
      await run('fallocate', ['--keep-size', ...range, file], { timeoutMs: pieceTimeoutMs });
    }
  } catch (thrown) {
    const directory = path.dirname(file);
    const free = await available(directory);
    const missing = await needs(file, to);
    await release(file);
    const full = toReelError(thrown).code === 'no-space' && free < missing;
    throw full ? noSpace(directory, needed, await available(directory), thrown) : thrown;
  }
};

/** Gives back the storage beyond the end of `file`. Not a byte of the file itself is touched. */
export const release = async (file: string): Promise<void> => {
  const handle = await open(file, 'r+');
  try {
    await handle.truncate((await handle.stat()).size);
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/** Makes the file `to` bytes long, never shorter. Durable on return. */
export const lengthen = async (file: string, to: number): Promise<void> => {
  const handle = await open(file, 'r+');
  try {
    if ((await handle.stat()).size < to) await handle.truncate(to);
    await handle.sync();
  } finally {
    await handle.close();
  }
};
