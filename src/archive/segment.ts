/** One durable segment as the archive knows it, and what follows from two neighbours. */

export interface Segment {
  /** Hours since the Unix epoch: which reel. */
  readonly hour: number;
  /** Place in the reel, from 0. */
  readonly sequence: number;
  readonly offset: number;
  readonly length: number;
  readonly flags: number;
  readonly startUs: number;
  /** 90 kHz ticks. */
  readonly duration: number;
  readonly crc32c: number;
}

/** A stretch of recorded time, µs since the Unix epoch, end exclusive. */
export interface TimeRange {
  readonly startUs: number;
  readonly endUs: number;
}

/** Ticks of 90 kHz do not fall on whole microseconds, so neighbours may lie apart by rounding; a missing frame is far above this. */
const toleranceUs = 1_000;

export const hasFlag = (segment: Segment, flag: number): boolean => (segment.flags & flag) !== 0;

/** Where a segment of `duration` (90 kHz ticks) ends. */
export const endAfter = (startUs: number, duration: number): number => startUs + Math.round((duration * 100) / 9);

export const endUs = (segment: Segment): number => endAfter(segment.startUs, segment.duration);

/** Whether time is missing between what ends at `formerEndUs` and what starts at `startUs`. */
export const isGap = (formerEndUs: number, startUs: number): boolean => startUs - formerEndUs > toleranceUs;

/** Extends `ranges` (in order of time) with a range that does not begin before the last one. */
export const mergeRange = (ranges: TimeRange[], { startUs, endUs }: TimeRange): void => {
  const last = ranges.at(-1);
  if (last !== undefined && !isGap(last.endUs, startUs))
    ranges[ranges.length - 1] = { startUs: last.startUs, endUs: Math.max(last.endUs, endUs) };
  else ranges.push({ startUs, endUs });
};
