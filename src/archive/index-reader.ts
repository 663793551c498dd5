/** Reads an index file that may have grown since it was read before. */
import { read as readFd } from 'node:fs';
import { promisify } from 'node:util';
import { ReelError } from '../errors.ts';
import { readCached, indexSlotBytes as slotBytes } from '../native.ts';
import { decodeSegments } from './index-file.ts';
import { largestIndex } from './index-slots.ts';
import type { ReelSegments } from './reel-segments.ts';

const read = promisify(readFd);

/** What a reading found, and by what the next one knows that the file has only grown. */
export interface IndexReading {
  readonly segments: ReelSegments;
  readonly header: Buffer;
}

/** The bytes from `start` to `end`, or fewer where the file was cut meanwhile. */
const readPart = async (fd: number, start: number, end: number): Promise<Buffer> => {
  const bytes = Buffer.allocUnsafeSlow(end - start); // kept: not a piece of what others share
  let filled = 0;
  while (filled < bytes.length) {
    const cached = readCached(fd, bytes.subarray(filled), start + filled);
    const { bytesRead } =
      cached >= 0 ? { bytesRead: cached } : await read(fd, bytes, filled, bytes.length - filled, start + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
};

/** Undefined where the file is not the one that was read before, with records added. */
const readOn = async (
  fd: number,
  size: number,
  hour: number,
  reelBytes: number,
  { segments, header }: IndexReading,
): Promise<IndexReading | undefined> => {
  const known = segments.length;
  // Record n is number n of the reel. Where one in the middle does not hold, recovery may put it there again: then all is read anew.
  if (known === 0 || segments.at(-1)?.sequence !== known - 1) return undefined;
  const slots = await readPart(fd, known * slotBytes, size);
  if (!slots.subarray(0, slotBytes).equals(segments.records.subarray(-slotBytes))) return undefined;
  if (!(await readPart(fd, 0, slotBytes)).equals(header)) return undefined;
  const all = Buffer.concat([header, segments.records, slots.subarray(slotBytes)]);
  return { segments: decodeSegments(all, hour, reelBytes), header };
};

/**
 * The segments of the index open as `fd`, `size` bytes long, of a reel of `reelBytes`. With `former`, a reading of the same inode when it was
 * shorter, only what was added is read, if header and last record are still the same. `archive-damaged` where the header does not hold.
 */
export const readIndex = async (
  fd: number,
  size: number,
  hour: number,
  reelBytes: number,
  former?: IndexReading,
): Promise<IndexReading> => {
  if (size > largestIndex)
    throw new ReelError('archive-damaged', {
      expected: `an index of at most ${largestIndex} bytes`,
      got: `${size} bytes`,
    });
  const grown = former === undefined ? undefined : await readOn(fd, size, hour, reelBytes, former);
  if (grown !== undefined) return grown;
  const bytes = await readPart(fd, 0, size);
  return { segments: decodeSegments(bytes, hour, reelBytes), header: Buffer.from(bytes.subarray(0, slotBytes)) };
};
