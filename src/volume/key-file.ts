import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { ReelError, throwStorageFailure } from '../errors.ts';
import { syncDirectory } from './directories.ts';

/** 512 random bits; nobody derives those from anything, so the keyslot needs no slow derivation. */
const keyBytes = 64;

/** Writes a new random key to `file` (0400, must not exist), durable on return. The caller zeroes the answer. */
export const makeKeyFile = async (file: string): Promise<Buffer> => {
  const key = randomBytes(keyBytes);
  try {
    const handle = await open(file, 'wx', 0o400);
    try {
      await handle.writeFile(key);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncDirectory(path.dirname(file));
    return key;
  } catch (error) {
    key.fill(0);
    throw error;
  }
};

/** How a key is given where there is no key file, in the words of the command line. */
export const otherKeysHint =
  'without a key file: --ask asks for a passphrase, --passphrase-file takes it from a file, --recovery takes the recovery key';

/** The caller zeroes the answer. `hint`: what to do where there is none. Throws `not-found`, `wrong-key` for an impossible length. */
export const readKeyFile = async (file: string, hint?: string): Promise<Buffer> => {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW).catch((cause: unknown) => {
    throwStorageFailure(cause);
    const missing = { expected: `a key file at ${file}`, got: 'none that can be read', cause };
    throw new ReelError('not-found', hint === undefined ? missing : { ...missing, hint });
  });
  try {
    const key = Buffer.alloc(keyBytes + 1);
    const { bytesRead } = await handle.read(key, 0, key.length, 0);
    if (bytesRead === keyBytes) return key.subarray(0, keyBytes);
    key.fill(0);
    throw new ReelError('wrong-key', { expected: `${keyBytes} bytes in ${file}`, got: `${bytesRead} or more` });
  } finally {
    await handle.close();
  }
};
