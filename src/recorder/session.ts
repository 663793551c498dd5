/**
 * One recording of one publisher into one stream, from `openStream` to `finish`. A session ends once: the publisher finishes, the writer
 * fails, an order ends it, or the recorder stops it. Whatever was acknowledged stays, whichever it is.
 */
import { endUs, hasFlag, type Segment } from '../archive/segment.ts';
import { type ReelError, toReelError } from '../errors.ts';
import { longestAppend, type NativeWriter, type StreamCounters, segmentFlags } from '../native.ts';
import { DurableLag } from './durable-lag.ts';

/** What a session left in the archive; every segment of it is durable. */
export interface SessionSummary {
  readonly stream: string;
  readonly segments: number;
  readonly bytes: number;
  /** Unix seconds; `null` where nothing was recorded. */
  readonly from: number | null;
  readonly to: number | null;
}

export interface SessionStatus {
  readonly publisher: string;
  /** Unix milliseconds. */
  readonly since: number;
  readonly received: number;
  readonly queued: number;
  /** Milliseconds: how old the oldest byte is that came in and is not durable. */
  readonly durableLagMs: number;
  /** The publisher is to wait: its bytes come faster than the disk takes them. */
  readonly heldBack: boolean;
  readonly segments: number;
  readonly bytes: number;
  /** Unix seconds: the end of the newest durable segment. */
  readonly durableTo: number | null;
  /** The newest durable segment began more than 2 s ahead of the wall clock: it was set back, or the publisher sends faster than real time. */
  readonly clockBehind: boolean;
  /** What the parser counted; docs/archive.md. */
  readonly counters: StreamCounters;
  /** Unix milliseconds; `null` while it runs. */
  readonly endedAt: number | null;
}

export interface SessionParams {
  readonly writer: NativeWriter;
  readonly id: number;
  readonly stream: string;
  readonly volume: string;
  readonly publisher: string;
  readonly now: () => number;
  /** Milliseconds from any start, by a clock that is never set. */
  readonly elapsed: () => number;
  /** Called once when nothing of the session is left in the writer. `clean`: everything the index holds is durable. */
  readonly onEnd: (failure: ReelError | undefined, clean: boolean) => Promise<void>;
}

export class RecordingSession {
  readonly stream: string;
  readonly volume: string;
  readonly id: number;
  readonly since: number;
  /** Set by whoever appends: queued bytes have been written, go on. */
  onDrain: () => void = () => {};
  /** Set by whoever appends: the session has ended under it; `finish` rejects with the same error. */
  onFailure: (error: ReelError) => void = () => {};
  readonly #params: SessionParams;
  readonly #highMark: number;
  /** Received while the writer had no memory for them; given again when it has drained. Few: the publisher is held back from then on. */
  #waiting: { readonly bytes: Buffer; readonly cameUs: number }[] = [];
  #allTaken: (() => void) | undefined;
  #received = 0;
  #queued = 0;
  #heldSince: number | undefined;
  readonly #lag: DurableLag;
  #segments = 0;
  #bytes = 0;
  #fromUs: number | undefined;
  #toUs: number | undefined;
  #clockBehind = false;
  /** Kept when the writer forgets them. */
  #counters: StreamCounters | undefined;
  #endedAt: number | null = null;
  #failure: ReelError | undefined;
  #finished: Promise<SessionSummary> | undefined;

  constructor(params: SessionParams) {
    this.#params = params;
    this.#highMark = params.writer.highMark;
    this.stream = params.stream;
    this.volume = params.volume;
    this.id = params.id;
    this.since = params.now();
    this.#lag = new DurableLag(params.elapsed);
  }

  /** Takes the bytes, which came at `cameUs` (UTC). False asks to pause until `onDrain`. After the end of the session they are dropped. */
  append(bytes: Buffer, cameUs = this.#params.now() * 1000): boolean {
    if (this.#finished !== undefined) return true;
    this.#received += bytes.length;
    this.#lag.received(bytes.length);
    if (this.#waiting.length > 0) {
      this.#waiting.push({ bytes: Buffer.from(bytes), cameUs });
      return false;
    }
    return this.#mayGoOn(this.#give(bytes, cameUs));
  }

  /** Writer: these segments are durable now. */
  durable(segments: readonly Segment[]): void {
    for (const segment of segments) {
      this.#segments += 1;
      this.#bytes += segment.length;
      this.#lag.durable(segment.length);
      this.#fromUs ??= segment.startUs;
      this.#toUs = endUs(segment);
      this.#clockBehind = hasFlag(segment, segmentFlags.clockJumped);
    }
  }

  /** Writer: there is room again. */
  drained(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#queued = 0; // less than half of the high mark; what is given now tells anew
    while (waiting.length > 0) {
      const { bytes, cameUs } = waiting.shift() as { bytes: Buffer; cameUs: number };
      if (this.#give(bytes, cameUs)) continue;
      this.#waiting.push(...waiting);
      return;
    }
    this.#allTaken?.();
    this.#heldSince = undefined;
    if (this.#mayGoOn(true)) this.onDrain();
  }

  /** The writer, or the recorder, ends the session: the publisher is told, and what came in is made durable. Resolves when that is done. */
  async stop(error: ReelError): Promise<void> {
    if (this.#finished === undefined) {
      this.#failure = error;
      this.onFailure(error);
    }
    // The rejection is the appender's to handle; here only the end matters.
    await this.finish().catch(() => {});
  }

  /** Writer: the session has failed; nothing more is taken. */
  failed(error: ReelError): void {
    this.#failure ??= error;
    this.#waiting = [];
    this.#allTaken?.();
    void this.stop(error);
  }

  /** Makes everything durable. Resolves once all of it is; rejects with the error that ended the session before. Idempotent. */
  finish(): Promise<SessionSummary> {
    this.#finished ??= this.#end();
    return this.#finished;
  }

  /** What is durable of it. */
  summary(): SessionSummary {
    const seconds = (us: number | undefined): number | null => (us === undefined ? null : us / 1e6);
    return {
      stream: this.stream,
      segments: this.#segments,
      bytes: this.#bytes,
      from: seconds(this.#fromUs),
      to: seconds(this.#toUs),
    };
  }

  status(): SessionStatus {
    return {
      publisher: this.#params.publisher,
      since: this.since,
      received: this.#received,
      queued: this.#queued,
      durableLagMs: this.#endedAt === null ? this.#lag.ms : 0,
      heldBack: this.#heldSince !== undefined && this.#endedAt === null,
      segments: this.#segments,
      bytes: this.#bytes,
      durableTo: this.#toUs === undefined ? null : this.#toUs / 1e6,
      clockBehind: this.#clockBehind,
      counters: this.#counters ?? this.#params.writer.counters(this.id),
      endedAt: this.#endedAt,
    };
  }

  /** Since when the publisher has been held back without a break, by the clock of `elapsed`. */
  get heldSince(): number | undefined {
    return this.#heldSince;
  }

  #mayGoOn(taken: boolean): boolean {
    if (taken && this.#queued <= this.#highMark) return true;
    this.#heldSince ??= this.#params.elapsed();
    return false;
  }

  /** False when the writer has no memory for the bytes; what it did not take is kept (copied: chunks of sockets are reused). */
  #give(bytes: Buffer, cameUs: number): boolean {
    const { writer, id } = this.#params;
    try {
      for (let at = 0; at < bytes.length; at += longestAppend) {
        const piece = bytes.length <= longestAppend ? bytes : bytes.subarray(at, at + longestAppend);
        const queued = writer.append(id, piece, cameUs);
        if (queued < 0) {
          this.#waiting.push({ bytes: Buffer.from(bytes.subarray(at)), cameUs });
          return false;
        }
        this.#queued = queued;
      }
    } catch (thrown) {
      const error = toReelError(thrown);
      // The writer has ended the session already; its event with the reason is on the way here.
      if (error.code !== 'recording-stopped') this.failed(error);
    }
    return true;
  }

  async #end(): Promise<SessionSummary> {
    const { writer, id, onEnd, now } = this.#params;
    if (this.#waiting.length > 0)
      await new Promise<void>((resolve) => {
        this.#allTaken = resolve;
      });
    this.#counters = writer.counters(id);
    let clean = true;
    try {
      await writer.finish(id);
    } catch (error) {
      clean = false;
      this.#failure ??= toReelError(error);
    }
    this.#queued = 0;
    this.#endedAt = now();
    await onEnd(this.#failure, clean);
    if (this.#failure !== undefined) throw this.#failure;
    return this.summary();
  }
}
