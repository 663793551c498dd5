/** What retention of a volume has done and found, kept in memory for metrics and the API. */
import { type Purge, type PurgeRule, sumBytes } from './plan.ts';
import type { Reel } from './reels.ts';

export interface RetentionState {
  readonly volume: string;
  /** Since the volume was opened, by rule. */
  readonly purged: Readonly<Partial<Record<PurgeRule, { readonly reels: number; readonly bytes: number }>>>;
  /** As of the last pass: what the streams hold, and what could not be freed. */
  readonly held: readonly { readonly stream: string; readonly bytes: number }[];
  readonly short: number;
  readonly wantedFreeBytes: number;
}

export class Books {
  /** What could not be freed, and what is to be free: as of the last pass by the rules. */
  short = 0;
  wantedFreeBytes = 0;
  readonly #volume: string;
  readonly #purged: Partial<Record<PurgeRule, { reels: number; bytes: number }>> = {};
  #held: { stream: string; bytes: number }[] = [];

  constructor({ volume }: { volume: string }) {
    this.#volume = volume;
  }

  listed(reels: readonly Reel[]): void {
    this.#held = [...Map.groupBy(reels, ({ stream }) => stream)].map(([stream, own]) => ({
      stream,
      bytes: sumBytes(own),
    }));
  }

  purged({ rule, reel }: Purge): void {
    const { reels, bytes } = this.#purged[rule] ?? { reels: 0, bytes: 0 };
    this.#purged[rule] = { reels: reels + 1, bytes: bytes + reel.bytes };
  }

  get state(): RetentionState {
    const { short, wantedFreeBytes } = this;
    return { volume: this.#volume, purged: this.#purged, held: this.#held, short, wantedFreeBytes };
  }
}
