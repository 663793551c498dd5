/** Free space, as it will be when all that was deleted has been given back. */
import type { RetentionRules } from './rules.ts';

export interface VolumeFacts {
  /** Of the volume; `undefined` where it is not known. */
  readonly freeBytes: number | undefined;
  /** Recorded into the volume lately. */
  readonly bytesPerSecond: number;
  /** With less, recording waits. */
  readonly reserveBytes: number;
}

export interface LastPurge {
  /** Milliseconds, by the clock of `elapsed`. */
  readonly at: number;
  readonly freeBefore: number;
  readonly bytes: number;
}

/** A file that somebody still reads keeps its blocks for so long at most, as far as retention counts on it. */
const settleMs = 300_000;

/**
 * `measured`, and what the last purge has freed that does not show yet: readers hold deleted files, and filesystems give blocks back
 * behind one's back. Without it the next pass would delete for the same need again. `bytesPerSecond`: what is being recorded meanwhile.
 */
export const expectedFree = (
  measured: number,
  last: LastPurge | undefined,
  elapsed: number,
  bytesPerSecond: number,
): number => {
  if (last === undefined || elapsed - last.at > settleMs) return measured;
  const recorded = (bytesPerSecond * (elapsed - last.at)) / 1000;
  const shown = measured + recorded - last.freeBefore;
  return measured + Math.min(last.bytes, Math.max(0, last.bytes - shown));
};

/** A pause for space ends when one and a half times the reserve is free; with more, it does not begin again at once. */
const pauseFactor = 2;

/** What the rules keep free, recording at `rate` bytes a second. Where they make room at all, it is enough for recording to go on. */
export const wantedFree = (
  { freeMinutes, freeBytes }: Pick<RetentionRules, 'freeMinutes' | 'freeBytes'>,
  rate: number,
  reserveBytes: number,
): number => {
  if (freeMinutes === null && freeBytes === null) return 0;
  return Math.max(freeBytes ?? 0, Math.ceil((freeMinutes ?? 0) * 60 * rate), pauseFactor * reserveBytes);
};
