/** One durable segment as the archive knows it, and what follows from two neighbours. */

import { segmentFlags } from '../native.ts';

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

export const endUs = (segment: Segment): number => segment.startUs + Math.round((segment.duration * 100) / 9);

/** Whether time is missing between two neighbours. */
export const isGap = (former: Segment, next: Segment): boolean => next.startUs - endUs(former) > toleranceUs;

/** Whether a player must reset its decoder before `segment`. `former` is the neighbour before it, where there is one. */
export const isDiscontinuous = (segment: Segment, former: Segment | undefined): boolean =>
  hasFlag(segment, segmentFlags.discontinuity) || (former !== undefined && isGap(former, segment));

/** Extends `ranges` (in order of time) with a range that does not begin before the last one. */
export const mergeRange = (ranges: TimeRange[], { startUs, endUs }: TimeRange): void => {
  const last = ranges.at(-1);
  if (last !== undefined && startUs - last.endUs <= toleranceUs)
    ranges[ranges.length - 1] = { startUs: last.startUs, endUs: Math.max(last.endUs, endUs) };
  else ranges.push({ startUs, endUs });
};

/** Extends `ranges` (in order of time) with `segment`. A discontinuity without missing time does not part a range. */
export const addToRanges = (ranges: TimeRange[], segment: Segment): void =>
  mergeRange(ranges, { startUs: segment.startUs, endUs: endUs(segment) });
