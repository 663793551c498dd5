/**
 * What goes when an admin asks for room now, whatever the rules would keep. Pure. The urgency says how far it may go:
 * 1 what the age rule takes within a day, 2 what has lived for half of its time, 3 the older half of each stream, 4 everything. Each holds the ones
 * before it, which go first; within one the oldest goes first. Kept reels never go.
 */
import { type PurgeInput, type PurgePlan, sumBytes } from './plan.ts';
import { oldestFirst, type Reel, reelEndUs } from './reels.ts';

export type Urgency = 1 | 2 | 3 | 4;

export interface ThinInput extends Pick<PurgeInput, 'reels' | 'rulesOf' | 'keepOf' | 'nowUs'> {
  /** To be freed at least. */
  readonly bytes: number;
  readonly urgency: Urgency;
}

const dayUs = 86_400_000_000;

/** The lowest urgency at which the reel may go. `older`: it is of the older half of its stream. */
const urgencyOf = (reel: Reel, maxAgeSeconds: number | null, older: boolean, nowUs: number): Urgency => {
  const ageUs = nowUs - reelEndUs(reel);
  const limitUs = maxAgeSeconds === null ? Number.POSITIVE_INFINITY : maxAgeSeconds * 1e6;
  if (ageUs + dayUs >= limitUs) return 1;
  if (ageUs * 2 >= limitUs) return 2;
  return older ? 3 : 4;
};

export const planThin = ({ reels, rulesOf, keepOf, nowUs, bytes, urgency }: ThinInput): PurgePlan => {
  const candidates = [...Map.groupBy(reels, ({ stream }) => stream)].flatMap(([stream, own]) => {
    const { maxAgeSeconds } = rulesOf(stream);
    const half = own.length / 2;
    return own
      .sort(oldestFirst)
      .map((reel, at) => ({ reel, level: urgencyOf(reel, maxAgeSeconds, at < half, nowUs) }))
      .filter(({ reel, level }) => level <= urgency && keepOf(reel) === undefined);
  });
  candidates.sort((a, b) => a.level - b.level || oldestFirst(a.reel, b.reel));
  const taken: Reel[] = [];
  let missing = bytes;
  for (const { reel } of candidates) {
    if (missing <= 0) break;
    taken.push(reel);
    missing -= reel.bytes;
  }
  return {
    purges: taken.map((reel) => ({ reel, rule: 'thin' as const })),
    bytes: sumBytes(taken),
    short: Math.max(0, missing),
    archiveBytes: sumBytes(reels),
    archiveReels: reels.length,
  };
};
