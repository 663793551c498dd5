/** What retention of a volume has done and found, and what it keeps free: in memory, for metrics and the API. */
import { type Purge, type PurgePlan, type PurgeRule, sumBytes } from './plan.ts';
import { peakRate } from './rate.ts';
import type { Reel } from './reels.ts';
import { deletesAnything, type RetentionRules } from './rules.ts';
import { type VolumeFacts, wantedFree } from './space.ts';

export interface RetentionState {
  readonly volume: string;
  /** Since the volume was opened, by rule. */
  readonly purged: Readonly<Partial<Record<PurgeRule, { readonly reels: number; readonly bytes: number }>>>;
  /** As of the last pass: what the streams hold, and what could not be freed. Nothing where no rule asks for a pass. */
  readonly held: readonly { readonly stream: string; readonly bytes: number }[];
  readonly short: number;
  /** By the rules as they were read or changed last. */
  readonly wantedFreeBytes: number;
  /** By which minutes become bytes. */
  readonly bytesPerSecond: number;
}

export class Books {
  readonly #volume: string;
  readonly #facts: () => VolumeFacts;
  readonly #purged: Partial<Record<PurgeRule, { reels: number; bytes: number }>> = {};
  #held: { stream: string; bytes: number }[] = [];
  #short = 0;
  #wantedFreeBytes = 0;
  /** Of the reels that were listed last. */
  #peakRate = 0;

  constructor({ volume, facts }: { volume: string; facts: () => VolumeFacts }) {
    this.#volume = volume;
    this.#facts = facts;
  }

  /** What is to be free follows at once. What could not be freed is then at most what is missing; more shows in the next pass. */
  ruled(rules: RetentionRules): void {
    const { freeBytes, reserveBytes } = this.#facts();
    this.#wantedFreeBytes = wantedFree(rules, this.#bytesPerSecond, reserveBytes);
    const missing = Math.max(0, this.#wantedFreeBytes - (freeBytes ?? this.#wantedFreeBytes));
    this.#short = Math.min(this.#short, missing);
    if (!deletesAnything(rules)) this.#held = []; // no pass will tell when it changes
  }

  /** In a pass, before its plan is made. */
  listed(reels: readonly Reel[], rules: RetentionRules, nowUs: number): void {
    this.#peakRate = peakRate(reels, nowUs);
    this.ruled(rules);
    this.#held = [...Map.groupBy(reels, ({ stream }) => stream)].map(([stream, own]) => ({
      stream,
      bytes: sumBytes(own),
    }));
  }

  /** A plan by the rules. */
  planned({ short }: PurgePlan): void {
    this.#short = short;
  }

  purged({ rule, reel }: Purge): void {
    const { reels, bytes } = this.#purged[rule] ?? { reels: 0, bytes: 0 };
    this.#purged[rule] = { reels: reels + 1, bytes: bytes + reel.bytes };
  }

  get #bytesPerSecond(): number {
    return Math.max(this.#facts().bytesPerSecond, this.#peakRate);
  }

  get state(): RetentionState {
    return {
      volume: this.#volume,
      purged: this.#purged,
      held: this.#held,
      short: this.#short,
      wantedFreeBytes: this.#wantedFreeBytes,
      bytesPerSecond: this.#bytesPerSecond,
    };
  }
}
