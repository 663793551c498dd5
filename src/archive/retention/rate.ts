/** How fast a volume is recorded into: by what became durable in the last whole minutes, at most ten, and by the reels of a day. */
import { hourOf } from '../reel.ts';
import { sumBytes } from './plan.ts';
import { type Reel, reelEndUs, reelStartUs } from './reels.ts';

const minuteMs = 60_000;
const minutes = 10;

export class RateMeter {
  readonly #elapsed: () => number;
  /** Bytes by minute; `since` is the first minute that was counted. */
  readonly #volumes = new Map<string, { since: number; bytes: Map<number, number> }>();

  /** `elapsed`: milliseconds from any start, by a clock that is never set. */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
  }

  add(volume: string, bytes: number): void {
    const minute = this.#minute();
    let known = this.#volumes.get(volume);
    if (known === undefined) {
      known = { since: minute, bytes: new Map() };
      this.#volumes.set(volume, known);
    }
    known.bytes.set(minute, (known.bytes.get(minute) ?? 0) + bytes);
    for (const old of known.bytes.keys()) if (old < minute - minutes) known.bytes.delete(old);
  }

  /** 0 in the first minute. */
  bytesPerSecond(volume: string): number {
    const known = this.#volumes.get(volume);
    if (known === undefined) return 0;
    const minute = this.#minute();
    const first = Math.max(known.since, minute - minutes);
    let sum = 0;
    for (const [at, bytes] of known.bytes) if (at >= first && at < minute) sum += bytes;
    return minute === first ? 0 : sum / ((minute - first) * 60);
  }

  #minute(): number {
    return Math.floor(this.#elapsed() / minuteMs);
  }
}

/**
 * Bytes a second in the fullest of the last 24 hours and the one that is now; 0 where nothing was recorded in them. An hour counts from its first recording
 * to its last, but as ten minutes at least: so a meter would have told it. In an archive that is younger than that, as its age. Of the hour that is now only
 * reels whose span is known count: one that is being written owns more blocks than it holds.
 */
export const peakRate = (reels: readonly Reel[], nowUs: number): number => {
  const spanOf = (reel: Reel) => reel.span ?? { fromUs: reelStartUs(reel), toUs: reelEndUs(reel) };
  const oldestUs = reels.reduce((least, reel) => Math.min(least, spanOf(reel).fromUs), nowUs);
  const leastUs = Math.max(minuteMs * 1000, Math.min(minutes * minuteMs * 1000, nowUs - oldestUs));
  const recent = reels.filter(({ hour, span }) => {
    const ago = hourOf(nowUs) - hour;
    return ago <= 24 && (ago > 0 || (ago === 0 && span !== undefined));
  });
  const rates = [...Map.groupBy(recent, ({ hour }) => hour).values()].map((own) => {
    const spans = own.map(spanOf);
    const fromUs = Math.min(...spans.map((span) => span.fromUs));
    const toUs = Math.max(...spans.map((span) => span.toUs));
    return sumBytes(own) / (Math.max(leastUs, toUs - fromUs) / 1e6);
  });
  return Math.max(0, ...rates);
};
