import { ReelError } from '../errors.ts';

/** cryptsetup reads no more of a key file. */
const mostBytes = 8 * 1024 * 1024;

/** Refuses what cryptsetup would refuse with words that do not help. The bytes are taken as they are, newlines too. */
export const checkKey = (key: Buffer): Buffer => {
  if (key.length === 0 || key.length > mostBytes) {
    throw new ReelError('invalid-argument', {
      expected: `a key of 1 to ${mostBytes} bytes`,
      got: `${key.length} bytes`,
    });
  }
  return key;
};

/**
 * Two keys for one stdin: the old key, then the new one; cryptsetup is told both lengths, so that no byte of either ends it.
 * `use` gets the joined bytes, which are zeroed whatever happens. Not from Buffer's shared pool, which others read.
 */
export const withBothKeys = async <T>(
  oldKey: Buffer,
  newKey: Buffer,
  use: (args: readonly string[], joined: Buffer) => Promise<T>,
): Promise<T> => {
  const joined = Buffer.allocUnsafeSlow(checkKey(oldKey).length + checkKey(newKey).length);
  oldKey.copy(joined);
  newKey.copy(joined, oldKey.length);
  const sizes = ['--keyfile-size', String(oldKey.length), '--new-keyfile-size', String(newKey.length)];
  try {
    return await use(['--key-file', '-', ...sizes], joined);
  } finally {
    joined.fill(0);
  }
};
