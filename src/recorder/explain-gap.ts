/** Why nothing is recorded between two times, from what is known to have held in between. */
import type { GapReason } from '../archive/gap-reasons.ts';

export interface Cause {
  readonly reason: GapReason;
  /** Unix milliseconds. */
  readonly from: number;
  readonly to: number;
}

/** A commit, a publisher that comes back, the media clock that runs a little ahead: less than this is not told as lost. */
const toleranceMs = 3000;

/** The reasons of the gap, and `unexplained` where they leave a part of it open. None where nothing is known. */
export const explainGap = (from: number, to: number, causes: readonly Cause[]): GapReason[] => {
  const inside = causes.filter((cause) => cause.from < to && cause.to > from).sort((a, b) => a.from - b.from);
  if (inside.length === 0) return [];
  let covered = from;
  let open = 0;
  for (const cause of inside) {
    open = Math.max(open, cause.from - covered);
    covered = Math.max(covered, cause.to);
  }
  open = Math.max(open, to - covered);
  const reasons = new Set(inside.map(({ reason }) => reason));
  if (open > toleranceMs) reasons.add('unexplained');
  return [...reasons];
};
