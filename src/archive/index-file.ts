/** Reads the index of a reel; docs/archive.md, "Index". */
import { ReelError } from '../errors.ts';
import { compactIndex, type SegmentRecord } from '../native.ts';
import { hourUs } from './reel.ts';
import { ReelSegments } from './reel-segments.ts';
import type { Segment } from './segment.ts';

/** A record as the archive has it, in the reel of `hour`. */
export const segmentOf = (record: SegmentRecord, hour: number): Segment => {
  const { sequence, offset, length, flags, startUs, duration, crc32c } = record;
  return { hour, sequence, offset, length, flags, startUs, duration, crc32c };
};

/** What an index says of its reel. `hour` is `null` where the header does not hold. */
export interface IndexContents {
  readonly hour: number | null;
  /** Records may carry a SHA-256. */
  readonly evidence: boolean;
  readonly segments: ReelSegments;
}

/**
 * The records of an index that hold (I1), in order: the CRC is right, they do not overlap the one before, and name bytes below `reelBytes`.
 * Takes `bytes` over.
 */
export const readContents = (bytes: Buffer, reelBytes: number): IndexContents => {
  const { hourUs: startUs, evidence, records } = compactIndex(bytes, reelBytes);
  const hour = startUs === null ? null : startUs / hourUs;
  return { hour, evidence, segments: new ReelSegments(hour ?? 0, records) };
};

/** The segments of an index; takes `bytes` over. A torn tail is no error. `archive-damaged` where the header is not that of the hour's index. */
export const decodeSegments = (bytes: Buffer, hour: number, reelBytes: number): ReelSegments => {
  const contents = readContents(bytes, reelBytes);
  if (contents.hour !== hour)
    throw new ReelError('archive-damaged', {
      expected: `an index header for the hour ${hour}`,
      got: contents.hour === null ? `${bytes.length} bytes without one` : `one for the hour ${contents.hour}`,
      hint: 'the reel itself is untouched and plays in any player',
    });
  return contents.segments;
};
