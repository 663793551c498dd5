/** The stretch of a container that holds header and key material: read whole, written whole, compared by its digest. */
import { createHash, randomFillSync } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { ReelError } from '../../errors.ts';

/** Bytes read and written at a time. */
const piece = 1024 * 1024;

const opened = async <T>(file: string, flags: string, work: (handle: FileHandle) => Promise<T>): Promise<T> => {
  const handle = await open(file, flags);
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
};

/**
 * One buffer for all pieces of an area. New ones would wait for the garbage collector by the dozen, and their memory stays with the
 * allocator: the process would remain as large as it once was.
 */
const pieceOf = (start: number, end: number): Buffer => Buffer.allocUnsafeSlow(Math.min(piece, end - start));

/** `take` gets the same memory each time, and is done with it when it resolves. Nothing of the area stays in memory. */
const eachPiece = async (
  handle: FileHandle,
  start: number,
  end: number,
  take: (bytes: Buffer, at: number) => Promise<unknown> | unknown,
): Promise<void> => {
  const memory = pieceOf(start, end);
  try {
    for (let at = start; at < end; at += piece) {
      const bytes = memory.subarray(0, Math.min(piece, end - at));
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, at);
      if (bytesRead !== bytes.length) {
        throw new ReelError('io-error', { expected: `${bytes.length} bytes at ${at}`, got: `${bytesRead}` });
      }
      await take(bytes, at);
    }
  } finally {
    memory.fill(0);
  }
};

/** SHA-256 of the first `bytes` bytes. */
export const digestArea = (file: string, bytes: number): Promise<string> =>
  opened(file, 'r', async (handle) => {
    const hash = createHash('sha256');
    await eachPiece(handle, 0, bytes, (read) => hash.update(read));
    return hash.digest('hex');
  });

/** Copies the first `bytes` bytes of `from` into the new file `to` (0400), durable on return. Zeros become a hole: most of it is empty. */
export const saveArea = (from: string, to: string, bytes: number): Promise<void> =>
  opened(from, 'r', async (source) => {
    const target = await open(to, 'wx', 0o400);
    try {
      await eachPiece(source, 0, bytes, (read, at) =>
        read.every((byte) => byte === 0) ? undefined : target.write(read, 0, read.length, at),
      );
      await target.truncate(bytes);
      await target.sync();
    } finally {
      await target.close();
    }
  });

/** Writes `start` to `end` of `from` over the same bytes of `to`, durable on return. */
export const putArea = (from: string, to: string, start: number, end: number): Promise<void> =>
  opened(from, 'r', (source) =>
    opened(to, 'r+', async (target) => {
      await eachPiece(source, start, end, (read, at) => target.write(read, 0, read.length, at));
      await target.sync();
    }),
  );

/**
 * Overwrites `start` to `end` with random bytes (a filesystem that compresses would only note zeros), durable on return, and reads them
 * back. Throws `io-error` when something else is read.
 */
export const overwriteArea = (file: string, start: number, end: number): Promise<void> =>
  opened(file, 'r+', async (handle) => {
    const written = createHash('sha256');
    const memory = pieceOf(start, end);
    for (let at = start; at < end; at += piece) {
      const bytes = randomFillSync(memory.subarray(0, Math.min(piece, end - at)));
      await handle.write(bytes, 0, bytes.length, at);
      written.update(bytes);
    }
    await handle.sync();
    const read = createHash('sha256');
    await eachPiece(handle, start, end, (bytes) => read.update(bytes));
    if (!written.digest().equals(read.digest())) {
      throw new ReelError('io-error', { expected: `${file} to hold what was written over it`, got: 'other bytes' });
    }
  });
