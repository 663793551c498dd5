/** Reels as retention sees them, and which of them nobody may take. */
import { hourOf, hourUs } from '../reel.ts';

export interface ReelName {
  readonly stream: string;
  /** Hours since the Unix epoch. */
  readonly hour: number;
}

export interface Reel extends ReelName {
  /** What the reel and its index take up on disk. */
  readonly bytes: number;
  /** From the start of its first segment to the end of its last, µs since the Unix epoch; only where a catalog knows it. */
  readonly span?: { readonly fromUs: number; readonly toUs: number };
}

/** A stretch of a stream that is not to be deleted, µs since the Unix epoch, end exclusive. */
export interface Protection {
  readonly stream: string;
  readonly fromUs: number;
  readonly toUs: number;
  readonly kind: 'episode' | 'lease';
}

/** Why a reel stays. */
export type Keep = 'open' | Protection['kind'];

/**
 * The last segment of a reel may end in the next hour: the longest one is cut after 180 s, and what plays from the full hour on needs it.
 * For as long a writer may still take up the reel of an hour that has just ended.
 */
const slackUs = 600_000_000;

export const reelStartUs = ({ hour }: ReelName): number => hour * hourUs;

/** The end of the reel's hour. */
export const reelEndUs = ({ hour }: ReelName): number => (hour + 1) * hourUs;

export const oldestFirst = (a: ReelName, b: ReelName): number =>
  a.hour - b.hour || (a.stream < b.stream ? -1 : Number(a.stream > b.stream));

/**
 * Answers why a reel must stay, or `undefined`. `openFrom`: the hour of the reel that a writer has open, by stream; that one and all later
 * ones stay. A reel of this hour, of one that has just ended, or of the future may be taken up at any time and counts as open.
 */
export const keeperOf = (params: {
  readonly protections: readonly Protection[];
  readonly openFrom: ReadonlyMap<string, number>;
  readonly nowUs: number;
}): ((reel: ReelName) => Keep | undefined) => {
  const { openFrom, nowUs } = params;
  const current = hourOf(nowUs - slackUs);
  const byStream = Map.groupBy(params.protections, ({ stream }) => stream);
  return (reel) => {
    if (reel.hour >= Math.min(current, openFrom.get(reel.stream) ?? current)) return 'open';
    const from = reelStartUs(reel);
    const to = reelEndUs(reel) + slackUs;
    return byStream.get(reel.stream)?.find(({ fromUs, toUs }) => fromUs < to && toUs > from)?.kind;
  };
};
