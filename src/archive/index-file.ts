/** Reads the index of a reel: a header, then one record a segment; docs/architecture.md, "Archive on disk". */
import { ReelError } from '../errors.ts';
import { crc32c } from '../native.ts';
import { hourUs } from './reel.ts';
import type { Segment } from './segment.ts';

export const recordBytes = 96;
const checkedBytes = 92;

const checks = (block: Buffer): boolean => crc32c(block.subarray(0, checkedBytes)) === block.readUInt32LE(checkedBytes);

/**
 * The segments of an index, in order, without the records that do not hold (I1): the CRC is wrong, they overlap the one before, or they
 * name bytes beyond `reelBytes`. A torn tail is no error. `archive-damaged` where the header is not that of the hour's index.
 */
export const decodeSegments = (bytes: Buffer, hour: number, reelBytes: number): Segment[] => {
  const head = bytes.subarray(0, recordBytes);
  const valid =
    head.length === recordBytes &&
    head.toString('latin1', 0, 8) === 'RVINDEX1' &&
    head.readUInt32LE(8) === recordBytes &&
    checks(head) &&
    Number(head.readBigInt64LE(16)) === hour * hourUs;
  if (!valid)
    throw new ReelError('archive-damaged', {
      expected: `an index header for the hour ${hour}`,
      got: `${head.length} bytes that are none`,
      hint: 'the reel itself is untouched and plays in any player',
    });
  const segments: Segment[] = [];
  let next = 0;
  for (let at = recordBytes; at + recordBytes <= bytes.length; at += recordBytes) {
    const block = bytes.subarray(at, at + recordBytes);
    const offset = Number(block.readBigUInt64LE(0));
    const length = block.readUInt32LE(8);
    if (!checks(block) || offset < next || length === 0 || offset + length > reelBytes) continue;
    next = offset + length;
    segments.push({
      hour,
      sequence: block.readUInt32LE(48),
      offset,
      length,
      flags: block.readUInt32LE(12),
      startUs: Number(block.readBigInt64LE(16)),
      duration: block.readUInt32LE(40),
      crc32c: block.readUInt32LE(44),
    });
  }
  return segments;
};
