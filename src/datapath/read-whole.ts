import { fstat, read } from 'node:fs';
import { promisify } from 'node:util';
import { ReelError } from '../errors.ts';

const fstatFd = promisify(fstat);
const readFd = promisify(read);

/** All bytes of a regular file of at most `maxBytes`. `what` names it in errors. The descriptor stays the caller's. */
export const readWhole = async (fd: number, maxBytes: number, what: string): Promise<Buffer> => {
  const info = await fstatFd(fd);
  if (!info.isFile())
    throw new ReelError('path-invalid', { expected: `a regular file: ${what}`, got: 'something else' });
  const pieces: Buffer[] = [];
  for (let total = 0; ; ) {
    const piece = Buffer.allocUnsafe(64 * 1024);
    const { bytesRead } = await readFd(fd, piece, 0, piece.length, null);
    if (bytesRead === 0) return Buffer.concat(pieces, total);
    total += bytesRead;
    if (total > maxBytes) {
      throw new ReelError('path-invalid', { expected: `at most ${maxBytes} bytes: ${what}`, got: 'more' });
    }
    pieces.push(piece.subarray(0, bytesRead));
  }
};
