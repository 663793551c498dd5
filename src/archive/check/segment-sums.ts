/** Reads a segment back and sums it. Blocks its thread. */
import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { crc32c, type SegmentRecord } from '../../native.ts';
import type { Pace } from './pace.ts';

const piece = Buffer.allocUnsafeSlow(1024 * 1024);

export type SegmentVerdict = 'whole' | 'short' | 'crc32c' | 'sha256';

/**
 * Whether the bytes of a segment are those that its record names: CRC32C, and SHA-256 where it was recorded. Errors are those of `read`.
 * `short`: the file ends before.
 */
export const sumSegment = (fd: number, record: SegmentRecord, pace: Pace): SegmentVerdict => {
  const hash = record.sha256 === null ? undefined : createHash('sha256');
  let crc = 0;
  for (let done = 0; done < record.length; ) {
    const wanted = Math.min(piece.length, record.length - done);
    pace.spend(wanted);
    const got = readSync(fd, piece, 0, wanted, record.offset + done);
    if (got === 0) return 'short';
    const bytes = piece.subarray(0, got);
    crc = crc32c(bytes, crc);
    hash?.update(bytes);
    done += got;
  }
  if (crc !== record.crc32c) return 'crc32c';
  return hash === undefined || record.sha256?.equals(hash.digest()) === true ? 'whole' : 'sha256';
};
