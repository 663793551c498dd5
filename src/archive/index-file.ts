/** Reads the index of a reel; docs/architecture.md, "Archive on disk". */
import { ReelError } from '../errors.ts';
import { decodeIndex, type SegmentRecord } from '../native.ts';
import { hourUs } from './reel.ts';
import type { Segment } from './segment.ts';

/** A record as the archive has it, in the reel of `hour`. */
export const segmentOf = (record: SegmentRecord, hour: number): Segment => {
  const { sequence, offset, length, flags, startUs, duration, crc32c } = record;
  return { hour, sequence, offset, length, flags, startUs, duration, crc32c };
};

/**
 * The segments of an index, in order, without the records that do not hold (I1): the CRC is wrong, they overlap the one before, or they
 * name bytes beyond `reelBytes`. A torn tail is no error. `archive-damaged` where the header is not that of the hour's index.
 */
export const decodeSegments = (bytes: Buffer, hour: number, reelBytes: number): Segment[] => {
  const index = decodeIndex(bytes, reelBytes);
  if (index.hourUs !== hour * hourUs)
    throw new ReelError('archive-damaged', {
      expected: `an index header for the hour ${hour}`,
      got: index.hourUs === null ? `${bytes.length} bytes without one` : `one for the hour ${index.hourUs / hourUs}`,
      hint: 'the reel itself is untouched and plays in any player',
    });
  return index.records.map((record) => segmentOf(record, hour));
};
