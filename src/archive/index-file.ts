/** Reads the index of a reel; docs/architecture.md, "Archive on disk". */
import { ReelError } from '../errors.ts';
import { decodeSegmentColumns, type SegmentRecord, segmentColumns } from '../native.ts';
import { hourUs } from './reel.ts';
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
  readonly segments: Segment[];
}

/** The records of an index that hold (I1), in order: the CRC is right, they do not overlap the one before, and name bytes below `reelBytes`. */
export const readContents = (bytes: Buffer, reelBytes: number): IndexContents => {
  const { hourUs: startUs, evidence, columns } = decodeSegmentColumns(bytes, reelBytes);
  const hour = startUs === null ? null : startUs / hourUs;
  const segments: Segment[] = [];
  for (let at = 0; at < columns.length; at += segmentColumns)
    segments.push({
      hour: hour ?? 0,
      sequence: columns[at] as number,
      offset: columns[at + 1] as number,
      length: columns[at + 2] as number,
      flags: columns[at + 3] as number,
      startUs: columns[at + 4] as number,
      duration: columns[at + 5] as number,
      crc32c: columns[at + 6] as number,
    });
  return { hour, evidence, segments };
};

/** The segments of an index. A torn tail is no error. `archive-damaged` where the header is not that of the hour's index. */
export const decodeSegments = (bytes: Buffer, hour: number, reelBytes: number): Segment[] => {
  const contents = readContents(bytes, reelBytes);
  if (contents.hour !== hour)
    throw new ReelError('archive-damaged', {
      expected: `an index header for the hour ${hour}`,
      got: contents.hour === null ? `${bytes.length} bytes without one` : `one for the hour ${contents.hour}`,
      hint: 'the reel itself is untouched and plays in any player',
    });
  return contents.segments;
};
