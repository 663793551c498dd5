import { toReelError } from '../errors.ts';
import { type RunOptions, run } from '../exec/run.ts';

/** Of umount(8): done, not allowed, a broken mtab, failed. */
const answers = [0, 1, 16, 32];

/**
 * Whether umount did it. Where it did not, whoever calls this has a stronger means, and takes it also when umount tells of a disk that fails:
 * that is when things are locked by force. Throws `command-timeout`.
 */
export const tryUnmount = async (
  args: readonly string[],
  options: Pick<RunOptions, 'timeoutMs' | 'env'>,
): Promise<boolean> => {
  try {
    return (await run('umount', args, { ...options, okCodes: answers })).exitCode === 0;
  } catch (error) {
    if (toReelError(error).code === 'io-error') return false;
    throw error;
  }
};
