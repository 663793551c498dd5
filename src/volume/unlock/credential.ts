import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { ReelError } from '../../errors.ts';

const mostBytes = 64 * 1024;
/** systemd gives a service of root 0400, and others a list of their own that shows as 0440. */
const forbiddenMode = 0o037;

const refused = (expected: string, got: string, cause?: unknown): ReelError =>
  new ReelError('not-found', { expected, got, cause });

/**
 * The bytes of `<directory>/reelvault-<volume>.key`, as they are. The caller zeroes them. Throws `not-found` unless that is a regular file of
 * root, no link, that nobody else can change or read.
 */
export const readCredential = async (directory: string | undefined, volume: string): Promise<Buffer> => {
  const name = `reelvault-${volume}.key`;
  if (directory === undefined) throw refused(`a credential ${name}`, 'a service without credentials');
  const file = path.join(directory, name);
  // Not blocking: a FIFO in its place must not hold the helper.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(file, flags).catch((cause: NodeJS.ErrnoException) => {
    throw refused(`a credential at ${file}`, cause.code ?? 'none that can be read', cause);
  });
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw refused(`a regular file at ${file}`, 'something else');
    if (status.uid !== 0 || (status.mode & forbiddenMode) !== 0) {
      const got = `owner ${status.uid}, mode ${(status.mode & 0o7777).toString(8)}`;
      throw refused(`${file} to be root’s, mode 0400`, got);
    }
    if (status.size === 0 || status.size > mostBytes) {
      throw refused(`1 to ${mostBytes} bytes in ${file}`, `${status.size}`);
    }
    const key = Buffer.allocUnsafeSlow(status.size);
    const { bytesRead } = await handle.read(key, 0, key.length, 0);
    if (bytesRead === key.length) return key;
    key.fill(0);
    throw refused(`${key.length} bytes in ${file}`, `${bytesRead}`);
  } finally {
    await handle.close();
  }
};
