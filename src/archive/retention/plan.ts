/**
 * What retention deletes, in which order, and why. Pure: it reads nothing and deletes nothing.
 * 1 By age: what is older than its stream's limit. 2 By bytes: of each stream over its limit, the oldest. 3 By free space: one reel after
 * another of the stream that holds most for its share, until there is room. Kept reels count as held, and are never taken.
 */
import { ReelError } from '../../errors.ts';
import { type Keep, oldestFirst, type Reel, type ReelName, reelEndUs } from './reels.ts';
import type { StreamRules } from './rules.ts';

export type PurgeRule = 'age' | 'bytes' | 'free' | 'thin';

export interface Purge {
  readonly reel: Reel;
  readonly rule: PurgeRule;
}

export interface PurgePlan {
  /** In the order in which they go. */
  readonly purges: readonly Purge[];
  /** Sum of theirs. */
  readonly bytes: number;
  /** Bytes that were wanted and that nothing may be deleted for. */
  readonly short: number;
  /** All that the archive holds, and the number of its reels. */
  readonly archiveBytes: number;
  readonly archiveReels: number;
}

export interface PurgeInput {
  readonly reels: readonly Reel[];
  readonly rulesOf: (stream: string) => StreamRules;
  readonly keepOf: (reel: ReelName) => Keep | undefined;
  readonly nowUs: number;
  /** Of the volume; `undefined` where it is not known: then nothing goes for its sake. */
  readonly freeBytes: number | undefined;
  readonly wantedFreeBytes: number;
}

/** A stream while the plan is made. */
interface Held {
  readonly name: string;
  readonly rules: StreamRules;
  /** May be deleted, oldest first; those before `next` are in the plan. */
  readonly loose: readonly Reel[];
  next: number;
  bytes: number;
}

export const sumBytes = (reels: readonly Reel[]): number => reels.reduce((sum, { bytes }) => sum + bytes, 0);

const heldBy = ({ reels, rulesOf, keepOf }: PurgeInput): Held[] =>
  [...Map.groupBy(reels, ({ stream }) => stream)].map(([name, own]) => ({
    name,
    rules: rulesOf(name),
    loose: own.filter((reel) => keepOf(reel) === undefined).sort(oldestFirst),
    next: 0,
    bytes: sumBytes(own),
  }));

const take = (stream: Held, rule: PurgeRule): Purge[] => {
  const reel = stream.loose[stream.next];
  if (reel === undefined) return [];
  stream.next += 1;
  stream.bytes -= reel.bytes;
  return [{ reel, rule }];
};

const takeWhile = (stream: Held, rule: PurgeRule, holds: (reel: Reel) => boolean): Purge[] => {
  const taken: Purge[] = [];
  for (let reel = stream.loose[stream.next]; reel !== undefined && holds(reel); reel = stream.loose[stream.next])
    taken.push(...take(stream, rule));
  return taken;
};

const inOrder = (purges: Purge[]): Purge[] => purges.sort((a, b) => oldestFirst(a.reel, b.reel));

/** Holds most for its share, of those that have something to give; of equals the one with the older reel. */
const fullest = (streams: readonly Held[]): Held | undefined => {
  let best: Held | undefined;
  for (const stream of streams) {
    const reel = stream.loose[stream.next];
    if (reel === undefined) continue;
    const rival = best?.loose[best.next];
    const more = stream.bytes / stream.rules.share - (best === undefined ? -1 : best.bytes / best.rules.share);
    if (rival === undefined || more > 0 || (more === 0 && oldestFirst(reel, rival) < 0)) best = stream;
  }
  return best;
};

export const planPurge = (input: PurgeInput): PurgePlan => {
  const { reels, nowUs, freeBytes, wantedFreeBytes } = input;
  const streams = heldBy(input);
  const purges: Purge[] = [];

  const expired = streams.flatMap((stream) => {
    const { maxAgeSeconds } = stream.rules;
    if (maxAgeSeconds === null) return [];
    return takeWhile(stream, 'age', (reel) => reelEndUs(reel) + maxAgeSeconds * 1e6 <= nowUs);
  });
  purges.push(...inOrder(expired));

  const over = streams.flatMap((stream) => {
    const { maxBytes } = stream.rules;
    return maxBytes === null ? [] : takeWhile(stream, 'bytes', () => stream.bytes > maxBytes);
  });
  purges.push(...inOrder(over));

  let missing = freeBytes === undefined ? 0 : wantedFreeBytes - freeBytes - sumBytes(purges.map(({ reel }) => reel));
  while (missing > 0) {
    const stream = fullest(streams);
    if (stream === undefined) break;
    for (const purge of take(stream, 'free')) {
      purges.push(purge);
      missing -= purge.reel.bytes;
    }
  }

  return {
    purges,
    bytes: sumBytes(purges.map(({ reel }) => reel)),
    short: Math.max(0, missing),
    archiveBytes: sumBytes(reels),
    archiveReels: reels.length,
  };
};

/**
 * Whether the plan takes more than half of the archive, by bytes or by hours: a mistyped rule or a clock that jumped looks like that. One reel a stream is
 * never too much: so ends the archive of a stream that is not recorded any more.
 */
export const takesMost = ({ purges, bytes, archiveBytes, archiveReels }: PurgePlan): boolean =>
  purges.length > new Set(purges.map(({ reel }) => reel.stream)).size &&
  (bytes * 2 > archiveBytes || purges.length * 2 > archiveReels);

export const purgeTooLarge = (volume: string, { purges, bytes, archiveBytes, archiveReels }: PurgePlan): ReelError =>
  new ReelError('purge-too-large', {
    expected: `to delete at most half of the archive of ${volume}`,
    got: `${purges.length} of its ${archiveReels} reels, ${bytes} of ${archiveBytes} bytes`,
    hint: 'nothing was deleted; look at the clock, at the rules and at what would go (--dry-run), then allow it with --allow-most',
    details: { volume, reels: purges.length, bytes, archiveReels, archiveBytes },
  });
