/** One row of the catalog: what is known of a reel without opening it. */
import type { TimeRange } from '../segment.ts';

/** `open`: a writer has it, or had it when it was last looked at. `garbage`: it is being deleted, and nothing may keep it. */
export type ReelState = 'open' | 'closed' | 'garbage';

export const reelFlags = {
  /** Time is missing inside it. */
  gaps: 1,
  /** Its index cannot be read. */
  damaged: 2,
  /** Its index may carry SHA-256. */
  evidence: 4,
} as const;

/** Names a reel. */
export interface ReelKey {
  readonly stream: string;
  /** Hours since the Unix epoch. */
  readonly hour: number;
}

export interface CatalogReel extends ReelKey {
  /** Of the reel and its index; for an open one as of its last look, usually 0. */
  readonly bytes: number;
  readonly segments: number;
  /** Start of the first and end of the last segment, µs since the Unix epoch; `null` where there is none. */
  readonly firstUs: number | null;
  readonly lastUs: number | null;
  readonly state: ReelState;
  /** `reelFlags`, added up. */
  readonly flags: number;
}

/** What a look at the files of a reel finds. */
export interface ReelFacts {
  readonly bytes: number;
  readonly segments: number;
  readonly flags: number;
  /** The recorded time, in order. */
  readonly ranges: readonly TimeRange[];
}

/** An answer in order of time: recorded time that the catalog knows, or an hour whose index must be read for it. */
export type RangePiece = { readonly ranges: readonly TimeRange[] } | { readonly hour: number };

export interface ReelQuery {
  /** Only of this stream. */
  readonly stream?: string;
  readonly states?: readonly ReelState[];
  /** Only reels after this one in the order of age: the last of the former page. */
  readonly after?: ReelKey;
  /** At most so many; 1 to 10,000. */
  readonly limit: number;
}

export interface StreamTotals {
  readonly stream: string;
  readonly reels: number;
  readonly bytes: number;
  /** Hours since the Unix epoch. */
  readonly oldest: number;
}
