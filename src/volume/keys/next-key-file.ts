import { toReelError } from '../../errors.ts';
import { exists } from '../directories.ts';
import { makeKeyFile, readKeyFile } from '../key-file.ts';
import type { VolumePaths } from '../layout.ts';
import { shred } from '../shred.ts';

/**
 * The random key under its temporary name, durable: the one that an interrupted call left, which may have a slot already, else a new one.
 * One that was not written to its end has no slot yet. The caller zeroes the answer.
 */
export const nextKeyFile = async (paths: VolumePaths): Promise<Buffer> => {
  if (await exists(paths.nextKey)) {
    try {
      return await readKeyFile(paths.nextKey);
    } catch (error) {
      if (toReelError(error).code !== 'wrong-key') throw error;
      await shred(paths.nextKey);
    }
  }
  return makeKeyFile(paths.nextKey);
};
