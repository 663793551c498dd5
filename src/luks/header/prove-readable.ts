import { toReelError } from '../../errors.ts';
import { run } from '../../exec/run.ts';

const timeoutMs = 60_000;
const block = 4096;

/** Reads the start of a file from its disk and not from memory. Throws `io-error`; where that cannot be done, it proves nothing. */
export const proveReadable = async (file: string, bytes: number): Promise<void> => {
  const count = `count=${Math.ceil(bytes / block)}`;
  const args = [`if=${file}`, 'of=/dev/null', `bs=${block}`, count, 'iflag=direct', 'status=none'];
  await run('dd', args, { timeoutMs }).catch((error: unknown) => {
    if (toReelError(error).code !== 'command-failed') throw error; // tmpfs knows no direct reads
  });
};
