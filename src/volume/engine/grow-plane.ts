import path from 'node:path';
import { run } from '../../exec/run.ts';

/** Nothing is read or written for it but a number. A block plane that hangs must not take the helper with it. */
const timeoutMs = 10_000;

/** Has the luksblock that serves `directory` look at its container's length. By processes of their own: FUSE can hang. */
export const growPlane = async (directory: string): Promise<void> => {
  await run('tee', [path.join(directory, 'control')], { timeoutMs, input: Buffer.from('grow\n') });
  // Before Linux 6.17 a loop device takes the kernel's own note of the file's size, which this renews.
  await run('stat', [path.join(directory, 'plain')], { timeoutMs });
};
