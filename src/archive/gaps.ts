/** Where a stream has nothing between two recordings, and why. */
import type { VolumeArchive } from './archive.ts';
import { type GapReason, gapReasonsOf } from './gap-reasons.ts';
import { hourOf } from './reel.ts';
import { endUs, isGap, type Segment } from './segment.ts';

/** µs since the Unix epoch, end exclusive. */
export interface Gap {
  readonly startUs: number;
  readonly endUs: number;
  /** None: nothing is known of it. */
  readonly reasons: readonly GapReason[];
}

/** The segment that ends the gap before `us`, and the one before it. */
const around = async (
  archive: VolumeArchive,
  stream: string,
  us: number,
): Promise<{ former: Segment | undefined; next: Segment | undefined }> => {
  let next: Segment | undefined;
  for (const hour of archive.hoursBack(stream, hourOf(us) + 1)) {
    const reel = await archive.readable(stream, hour);
    const place = reel.firstWhere((position) => reel.startUs(position) >= us);
    next = reel.at(place) ?? next;
    if (place > 0) return { former: reel.at(place - 1), next };
  }
  return { former: undefined, next };
};

const firstFrom = async (archive: VolumeArchive, stream: string, us: number): Promise<Segment | undefined> => {
  for await (const { reel, first, end } of archive.parts(stream, us, Number.MAX_SAFE_INTEGER)) {
    const found = reel.slice(first, end).find((segment) => segment.startUs >= us);
    if (found !== undefined) return found;
  }
  return undefined;
};

/** The gaps that touch `[fromUs, toUs)` and end with a recording, whole. One index is read for each, or two. */
export const gapsIn = async (archive: VolumeArchive, stream: string, fromUs: number, toUs: number): Promise<Gap[]> => {
  const begins = (await archive.ranges(stream, fromUs, toUs)).map((range) => range.startUs);
  const behind = await firstFrom(archive, stream, toUs);
  if (behind !== undefined) begins.push(behind.startUs);
  const gaps: Gap[] = [];
  for (const begin of begins.filter((us) => us > fromUs)) {
    const { former, next } = await around(archive, stream, begin);
    if (former === undefined || next === undefined || !isGap(endUs(former), next.startUs) || endUs(former) >= toUs)
      continue;
    gaps.push({ startUs: endUs(former), endUs: next.startUs, reasons: gapReasonsOf(next.flags) });
  }
  return gaps;
};
