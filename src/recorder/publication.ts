/**
 * One publisher on one stream, from the moment it is let in to its end. What it sends is recorded, or only received, as the stream's rules
 * want it; it does not notice. Recordings follow each other in it, one at a time.
 */
import { type ReelError, toReelError } from '../errors.ts';
import type { StandbyMemory, StandbyStream, StreamCounters } from '../native.ts';
import type { RecordingSession, SessionStatus, SessionSummary } from './session.ts';

export interface PublicationParams {
  readonly stream: string;
  readonly publisher: string;
  readonly volume: string;
  readonly memory: StandbyMemory;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds from any start, by a clock that is never set. */
  readonly elapsed: () => number;
  /** How much of what is not recorded is kept for a recording to begin with. */
  readonly keepMs: () => number;
  readonly open: (publication: Publication) => Promise<RecordingSession>;
  /** A recording has ended by order and could not be made durable as a whole; the publisher stays. */
  readonly onTrouble: (error: ReelError) => void;
  /** Called once, when nothing of it is left. */
  readonly onEnd: (publication: Publication, failure: ReelError | undefined) => Promise<void>;
}

const noCounters: StreamCounters = {
  ...{ packets: 0, nullPackets: 0, continuityErrors: 0, transportErrors: 0, syncLosses: 0, garbageBytes: 0 },
  ...{ duplicatePackets: 0, scrambledPackets: 0, discontinuities: 0, clockJumps: 0, tableChanges: 0, packetBytes: 0 },
};

export class Publication {
  readonly stream: string;
  readonly publisher: string;
  readonly since: number;
  /** The volume it is recorded into, or was last, or would be. */
  volume: string;
  /** Set by the recorder: its publisher was not refused. */
  letIn = false as boolean;
  /** Set by whoever appends: go on. */
  onDrain: () => void = () => {};
  /** Set by whoever appends: it has ended; `finish` rejects with the same error. */
  onFailure: (error: ReelError) => void = () => {};
  readonly #params: PublicationParams;
  /** Where bytes go: to one of the two. */
  #session: RecordingSession | undefined;
  #standby: StandbyStream | undefined;
  #wanted = false as boolean;
  #busy: 'opening' | 'closing' | undefined;
  /** What a former recording of it, or all of them, left. */
  #past: SessionSummary | undefined;
  #last: SessionStatus | undefined;
  #received = 0;
  #dropped = 0;
  /** Changes of what is wanted are followed one after another. Never rejects. */
  #turn: Promise<void> = Promise.resolve();
  #failure: ReelError | undefined;
  #failedFrom: number | undefined;
  #endedAt: number | null = null;
  #finished: Promise<SessionSummary> | undefined;

  constructor(params: PublicationParams) {
    this.#params = params;
    this.stream = params.stream;
    this.publisher = params.publisher;
    this.volume = params.volume;
    this.since = params.now();
  }

  get wanted(): boolean {
    return this.#wanted;
  }

  get failure(): ReelError | undefined {
    return this.#failure;
  }

  /** Unix milliseconds: what came in since then was not durable when it failed. */
  get failedFrom(): number | undefined {
    return this.#failedFrom;
  }

  /** Being recorded, or about to be, or what was is being made durable. */
  get isRecording(): boolean {
    return this.#session !== undefined || this.#busy !== undefined;
  }

  /** Takes the bytes. False asks to pause until `onDrain`. After the end they are dropped. */
  append(bytes: Buffer): boolean {
    if (this.#finished !== undefined) return true;
    this.#received += bytes.length;
    if (this.#session !== undefined) return this.#session.append(bytes);
    const { now, elapsed } = this.#params;
    try {
      return this.#standby?.feed(bytes, now() * 1000, elapsed() * 1000) ?? true;
    } catch (error) {
      this.#fail(toReelError(error));
      return true;
    }
  }

  /** Recorded from now on, or not. Resolves when that is so, or this has ended; `failure` tells. */
  follow(wanted: boolean): Promise<void> {
    this.#wanted = wanted;
    this.#turn = this.#turn.then(async () => {
      if (this.#finished !== undefined) return;
      if (this.#wanted && this.#session === undefined)
        await this.#begin().catch((error) => this.#fail(toReelError(error)));
      else if (!this.#wanted && this.#session !== undefined) await this.#cease();
      else if (!this.#wanted) this.#standby ??= this.#newStandby();
    });
    return this.#turn;
  }

  /** Another length is to be kept from now on: it begins anew. What a recording begins with stays as it is. */
  keepAnew(): void {
    if (this.#busy === 'opening' || this.#standby === undefined) return;
    this.#standby.close();
    this.#standby = this.#newStandby();
  }

  /**
   * The disk is too slow for what comes: the publisher is let go on, and what it sends is dropped until all that was taken is durable; then a
   * recording begins again.
   */
  shed(): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      if (this.#finished !== undefined || this.#session === undefined) return;
      const before = this.#received;
      await this.#cease();
      this.#dropped += this.#received - before - this.kept().bytes;
      if (this.#finished === undefined && this.#wanted)
        await this.#begin().catch((error) => this.#fail(toReelError(error)));
    });
    return this.#turn;
  }

  /** Bytes that were dropped because the disk was too slow. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Since when it has been held back without a break; changes with each time. */
  get heldSince(): number | undefined {
    return this.#session?.heldSince;
  }

  /** The writer, or the recorder, ends it: the publisher is told, and what came in is made durable. Resolves when that is done. */
  async stop(error: ReelError): Promise<void> {
    this.#fail(error);
    await this.finish().catch(() => {}); // the rejection is the appender's to handle
  }

  /** Makes everything durable. Resolves once all of it is; rejects with the error that ended it before. Idempotent. */
  finish(): Promise<SessionSummary> {
    this.#finished ??= this.#end();
    return this.#finished;
  }

  status(): SessionStatus {
    const running = this.#session?.status();
    const newest = running === undefined || running.durableTo === null ? this.#last : running;
    return {
      publisher: this.publisher,
      since: this.since,
      received: this.#received,
      queued: running?.queued ?? 0,
      durableLagMs: running?.durableLagMs ?? 0,
      heldBack: running?.heldBack ?? false,
      segments: (this.#past?.segments ?? 0) + (running?.segments ?? 0),
      bytes: (this.#past?.bytes ?? 0) + (running?.bytes ?? 0),
      durableTo: newest?.durableTo ?? null,
      clockBehind: newest?.clockBehind ?? false,
      counters: running?.counters ?? this.#standby?.counters() ?? this.#last?.counters ?? noCounters,
      endedAt: this.#endedAt,
    };
  }

  /** What a recording would begin with. */
  kept(): { readonly bytes: number; readonly sinceUs: number | null } {
    return this.#standby?.status() ?? { bytes: 0, sinceUs: null };
  }

  #newStandby(): StandbyStream {
    return this.#params.memory.open(this.#params.keepMs());
  }

  async #begin(): Promise<void> {
    this.#busy = 'opening';
    try {
      this.#standby?.hold();
      const session = await this.#params.open(this);
      session.onFailure = (error) => this.#fail(error);
      const standby = this.#standby;
      if (standby !== undefined) await this.#catchUp(session, standby);
      session.onDrain = () => this.onDrain();
      this.#session = session;
      this.#standby = undefined;
      standby?.close();
      this.onDrain();
    } finally {
      this.#busy = undefined;
    }
  }

  /** Gives the recording what is kept, with the times it came at, as fast as it takes it; what comes meanwhile goes the same way. */
  async #catchUp(session: RecordingSession, standby: StandbyStream): Promise<void> {
    for (let piece = standby.take(); piece !== null; piece = standby.take()) {
      if (session.append(piece.bytes, piece.cameUs)) continue;
      await new Promise<void>((resolve) => {
        session.onDrain = resolve;
        session.onFailure = (error) => {
          this.#fail(error);
          resolve();
        };
      });
    }
  }

  async #cease(): Promise<void> {
    const session = this.#session as RecordingSession;
    this.#busy = 'closing';
    this.#standby = this.#newStandby();
    this.#session = undefined;
    this.onDrain(); // it may have waited for that recording
    await this.#finishSession(session).catch((error) => this.#params.onTrouble(toReelError(error)));
    this.#busy = undefined;
  }

  async #finishSession(session: RecordingSession): Promise<void> {
    try {
      await session.finish();
    } finally {
      const { from, to, ...summary } = session.summary();
      const past = this.#past;
      this.#last = session.status();
      this.#past = {
        stream: this.stream,
        segments: summary.segments + (past?.segments ?? 0),
        bytes: summary.bytes + (past?.bytes ?? 0),
        from: past?.from ?? from,
        to: to ?? past?.to ?? null,
      };
    }
  }

  #fail(error: ReelError): void {
    if (this.#failure !== undefined || this.#finished !== undefined) return;
    this.#failure = error;
    this.#failedFrom = this.#params.now() - (this.#session?.status().durableLagMs ?? 0);
    this.onFailure(error);
  }

  async #end(): Promise<SessionSummary> {
    await this.#turn;
    const session = this.#session;
    if (session !== undefined)
      await this.#finishSession(session).catch((error) => {
        this.#failure ??= toReelError(error);
      });
    this.#session = undefined;
    if (this.#standby !== undefined) {
      this.#last = this.status();
      this.#standby.close();
      this.#standby = undefined;
    }
    this.#endedAt = this.#params.now();
    await this.#params.onEnd(this, this.#failure);
    if (this.#failure !== undefined) throw this.#failure;
    return this.#past ?? { stream: this.stream, segments: 0, bytes: 0, from: null, to: null };
  }
}
