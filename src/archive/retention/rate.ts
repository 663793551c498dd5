/** How fast a volume is being recorded into: bytes of the last whole minutes, at most ten. */

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
