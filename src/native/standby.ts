/** Streams that are received and not recorded: read like recorded ones, their newest seconds kept in memory. docs/ingest.md has the rules. */
import { ReelError } from '../errors.ts';
import { addon as loaded } from './addon.ts';
import type { StreamCounters } from './segment-writer.ts';

/** Bytes that came in together. */
export interface StandbyPiece {
  readonly bytes: Buffer;
  /** µs UTC. */
  readonly cameUs: number;
}

interface RawStandby {
  open(keepMs: number): number;
  feed(id: number, bytes: Uint8Array, nowUs: number, elapsedUs: number): number;
  hold(id: number): void;
  take(id: number): StandbyPiece | null;
  status(id: number): { readonly bytes: number; readonly sinceUs: number | null };
  got(id: number): string;
  counters(id: number): StreamCounters;
  close(id: number): void;
  readonly used: number;
}
const { StandbyStreams } = loaded as {
  readonly StandbyStreams: { new (ceiling: number): RawStandby; readonly expected: string };
};

const longestKeepMs = 600_000;

/** The memory of all such streams. */
export class StandbyMemory {
  readonly #raw: RawStandby;

  /** `ceiling`: bytes, of all streams together. What a beginning recording holds (1 MiB each) comes on top. */
  constructor(ceiling: number) {
    if (!Number.isSafeInteger(ceiling) || ceiling < 0)
      throw new ReelError('invalid-argument', { expected: 'a number of bytes', got: String(ceiling) });
    this.#raw = new StandbyStreams(ceiling);
  }

  /** Bytes in use, in blocks of 64 KiB. */
  get used(): number {
    return this.#raw.used;
  }

  /** A stream of which the last `keepMs` are kept; 0: nothing. `close` must follow. */
  open(keepMs: number): StandbyStream {
    if (!Number.isSafeInteger(keepMs) || keepMs < 0 || keepMs > longestKeepMs)
      throw new ReelError('invalid-argument', { expected: `0 to ${longestKeepMs} ms to keep`, got: String(keepMs) });
    return new StandbyStream(this.#raw, this.#raw.open(keepMs));
  }
}

export class StandbyStream {
  readonly #raw: RawStandby;
  #id: number | undefined;

  constructor(raw: RawStandby, id: number) {
    this.#raw = raw;
    this.#id = id;
  }

  /**
   * Takes (copies) the bytes. False: give no more until `take` has answered null. `not-mpegts` where they are no transport stream. `elapsedUs`: from
   * any start, by a clock that is never set; it says how old is what is kept.
   */
  feed(bytes: Uint8Array, nowUs: number, elapsedUs: number): boolean {
    const fed = this.#raw.feed(this.#open, bytes, nowUs, elapsedUs);
    if (fed >= 0) return fed === 0;
    throw new ReelError('not-mpegts', { expected: StandbyStreams.expected, got: this.#raw.got(this.#open) });
  }

  /** From now on nothing is dropped: a recording takes all of it. */
  hold(): void {
    this.#raw.hold(this.#open);
  }

  /** The oldest bytes kept, which go with it; null: none are left. */
  take(): StandbyPiece | null {
    return this.#raw.take(this.#open);
  }

  /** What is kept, and since when (µs UTC). */
  status(): { readonly bytes: number; readonly sinceUs: number | null } {
    return this.#raw.status(this.#open);
  }

  counters(): StreamCounters {
    return this.#raw.counters(this.#open);
  }

  /** Idempotent. Nothing else may be called afterwards. */
  close(): void {
    if (this.#id !== undefined) this.#raw.close(this.#id);
    this.#id = undefined;
  }

  get #open(): number {
    if (this.#id !== undefined) return this.#id;
    throw new ReelError('recording-stopped', { expected: 'an open stream', got: 'one that is closed' });
  }
}
