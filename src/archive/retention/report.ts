/** What a purge took, or would take, in the form in which it is told. */
import { type Purge, type PurgePlan, type PurgeRule, takesMost } from './plan.ts';
import { oldestFirst, type Reel, reelEndUs, reelStartUs } from './reels.ts';

export interface PurgedReel {
  readonly stream: string;
  /** Unix seconds: the reel's hour. */
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
  readonly rule: PurgeRule;
}

export interface PurgedStream {
  readonly stream: string;
  readonly reels: number;
  readonly bytes: number;
  /** Unix seconds, from the oldest reel to the end of the newest. */
  readonly from: number;
  readonly to: number;
  /** Reels by the rule that took them. */
  readonly rules: Readonly<Partial<Record<PurgeRule, number>>>;
}

export interface PurgeReport {
  readonly volume: string;
  readonly dryRun: boolean;
  readonly reels: number;
  readonly bytes: number;
  /** Wanted, and nothing may be deleted for it. */
  readonly short: number;
  /** More than half of the archive: without being told to, it deletes nothing. */
  readonly takesMost: boolean;
  readonly streams: readonly PurgedStream[];
  /** In the order in which they go; the first thousand. */
  readonly list: readonly PurgedReel[];
}

const longestList = 1000;

const spanOf = (reels: readonly Reel[]): { from: number; to: number } => {
  const inOrder = reels.toSorted(oldestFirst);
  return { from: reelStartUs(inOrder[0] as Reel) / 1e6, to: reelEndUs(inOrder.at(-1) as Reel) / 1e6 };
};

export const byStream = (purges: readonly Purge[]): PurgedStream[] =>
  [...Map.groupBy(purges, ({ reel }) => reel.stream)].map(([stream, own]) => {
    const reels = own.map(({ reel }) => reel);
    const rules: Partial<Record<PurgeRule, number>> = {};
    for (const { rule } of own) rules[rule] = (rules[rule] ?? 0) + 1;
    return {
      stream,
      reels: own.length,
      bytes: reels.reduce((sum, { bytes }) => sum + bytes, 0),
      ...spanOf(reels),
      rules,
    };
  });

export const reportOf = (volume: string, dryRun: boolean, purges: readonly Purge[], plan: PurgePlan): PurgeReport => ({
  volume,
  dryRun,
  reels: purges.length,
  bytes: purges.reduce((sum, { reel }) => sum + reel.bytes, 0),
  short: plan.short,
  takesMost: takesMost(plan),
  streams: byStream(purges),
  list: purges.slice(0, longestList).map(({ reel, rule }) => ({
    stream: reel.stream,
    ...spanOf([reel]),
    bytes: reel.bytes,
    rule,
  })),
});
