/** What is recorded, from rows of the catalog. The SQL function `recorded_time` (native/addon/database_ranges.cc) puts a month of them together. */
import type { TimeRange } from '../segment.ts';
import type { RangePiece } from './catalog-reel.ts';

/**
 * Its arguments: `from_us`, `to_us`, a stream's number, its first and last hour. A reel that is open, damaged, or lies across one of the ends must
 * be asked itself.
 */
export const recordedTime = `
  SELECT recorded_time(hour, first_us, last_us, state, flags, ranges, ?, ?) AS pairs FROM (
    SELECT hour, first_us, last_us, state, flags, ranges FROM reels
    WHERE stream = ? AND hour BETWEEN ? AND ? AND state <> 2 ORDER BY hour)
`;

/** `pairs`: 64-bit numbers of this machine, two and two: first and last µs, or an hour and no number. `null` where there was no row. */
export const piecesOf = (pairs: Uint8Array | null): RangePiece[] => {
  const numbers = new Float64Array((pairs ?? new Uint8Array()).slice().buffer);
  const pieces: RangePiece[] = [];
  let known: TimeRange[] | undefined;
  for (let at = 0; at < numbers.length; at += 2) {
    const [first, last] = [numbers[at] as number, numbers[at + 1] as number];
    if (Number.isNaN(last)) {
      pieces.push({ hour: first });
      known = undefined;
      continue;
    }
    if (known === undefined) {
      known = [];
      pieces.push({ ranges: known });
    }
    known.push({ startUs: first, endUs: last });
  }
  return pieces;
};
