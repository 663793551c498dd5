/** The segment writer: the synchronous way of a stream's bytes into its reels. docs/archive.md has the rules it follows. */
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { type ErrorCode, ReelError } from '../errors.ts';
import { addon as loaded } from './addon.ts';

/** One segment, as its index record has it. */
export interface SegmentRecord {
  /** In the reel. */
  readonly offset: number;
  readonly length: number;
  /** See `segmentFlags`. */
  readonly flags: number;
  /** µs UTC. */
  readonly startUs: number;
  /** 90 kHz, unwrapped; -1 unknown. */
  readonly firstPts: number;
  /** 90 kHz. */
  readonly duration: number;
  readonly crc32c: number;
  /** In the reel, from 0. */
  readonly sequence: number;
  /** Null without evidence. */
  readonly sha256: Buffer | null;
}

/** Flags of an index record; docs/archive.md, "Index". */
export const segmentFlags = {
  keyframe: 1,
  discontinuity: 2,
  tables: 4,
  cutByTime: 8,
  sessionEnd: 16,
  clockJumped: 32,
} as const;

/** The flags that say why nothing is recorded directly before a segment; src/archive/gap-reasons.ts names them. */
export const gapReasonsMask = 0xff00;

/** A segment was cut. Where it lies in the reel and its sums are not known yet. */
export interface SegmentEvent {
  readonly type: 'segment';
  readonly stream: number;
  readonly reel: string;
  readonly segment: Pick<SegmentRecord, 'length' | 'flags' | 'startUs' | 'firstPts' | 'duration'>;
}
/** These segments are on disk, and so are their index records. In order; each segment once. */
export interface DurableEvent {
  readonly type: 'durable';
  readonly stream: number;
  /** Path in the volume. */
  readonly reel: string;
  readonly records: readonly SegmentRecord[];
  /** Of each record: milliseconds from when its last byte was given to `append` until it was durable. */
  readonly lagsMs: readonly number[];
}
/** A stream for which `append` answered more than `highMark`, or -1, may go on. */
export interface DrainEvent {
  readonly type: 'drain';
  readonly stream: number;
}
/** The session is over: nothing more is taken. What was good so far becomes (or stays) durable; `finish` tells when, and must be called. */
export interface WriterErrorEvent {
  readonly type: 'error';
  readonly stream: number;
  readonly error: ReelError;
}
export type WriterEvent = SegmentEvent | DurableEvent | DrainEvent | WriterErrorEvent;

export interface WriterOptions {
  readonly backend?: 'auto' | 'io_uring' | 'pwrite';
  /** Ceiling of the memory for bytes not yet written, of all streams together. Each open stream needs 224 KiB of three quarters of it. */
  readonly stagingBytes?: number;
  readonly commitIntervalMs?: number;
}

export interface StreamOptions {
  /** From `addVolume`. */
  readonly volume: number;
  /** A single part of a path; becomes a directory of the archive. */
  readonly name: string;
  readonly segmentMs: number;
  /** SHA-256 in each record. */
  readonly evidence?: boolean;
  /** Where the archive of this stream ends; null when it is empty. No segment will start before. */
  readonly lastEndUs: number | null;
  /** Why nothing is recorded between there and the session, as bits of `gapReasonsMask`. */
  readonly gapReasons?: number;
}

export interface StreamCounters {
  readonly packets: number;
  readonly nullPackets: number;
  readonly continuityErrors: number;
  readonly transportErrors: number;
  readonly syncLosses: number;
  readonly garbageBytes: number;
  /** Sent twice, as the standard allows. */
  readonly duplicatePackets: number;
  readonly scrambledPackets: number;
  /** Packets that announce one. */
  readonly discontinuities: number;
  /** The program clock went back, or more than 10 s ahead, unannounced. */
  readonly clockJumps: number;
  /** The PAT named another PMT, or the PMT another main stream. */
  readonly tableChanges: number;
  /** 188, 192 or 204, as last found; 0 before. */
  readonly packetBytes: number;
}

interface RawEvent {
  readonly type: WriterEvent['type'] | 'finished';
  readonly stream: number;
  readonly reel: string;
  readonly records: readonly SegmentRecord[];
  readonly lagsMs: readonly number[];
  readonly errno: number;
  readonly notTransportStream: boolean;
  readonly expected: string;
  readonly got: string;
}
interface RawWriter {
  addVolume(dirFd: number, uuid: Uint8Array): number;
  removeVolume(volume: number): number;
  openStream(
    volume: number,
    name: string,
    segmentMs: number,
    evidence: boolean,
    lastEndUs: number | null,
    gapReasons: number,
  ): number;
  append(stream: number, bytes: Uint8Array, nowUs: number): number;
  noteGap(stream: number, reasons: number): void;
  finish(stream: number): void;
  counters(stream: number): StreamCounters;
  stop(): void;
  readonly ioUring: boolean;
  readonly highMark: number;
}
interface Addon {
  readonly SegmentWriter: new (
    backend: number,
    stagingBytes: number,
    commitIntervalMs: number,
    onEvents: (events: readonly RawEvent[]) => void,
  ) => RawWriter;
}
const addon = loaded as Addon;

const mib = 1024 * 1024;
const backends = { auto: 0, io_uring: 1, pwrite: 2 } as const;
const streamName = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/;
/** Most bytes of one `append`. */
export const longestAppend = mib;

const errnoCodes: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  ENOMEM: 'out-of-memory',
  ENOBUFS: 'out-of-memory',
  ENOENT: 'not-found',
  EBUSY: 'stream-busy',
};
/** The error for a failed step: `errno` as the system numbers it. */
export const errnoError = (errno: number, expected: string): ReelError => {
  const name = getSystemErrorName(-errno);
  return new ReelError(errnoCodes[name] ?? 'io-error', {
    expected,
    got: `${name} (${getSystemErrorMessage(-errno)})`,
    details: { errno: name },
  });
};
const invalid = (expected: string, got: unknown): ReelError =>
  new ReelError('invalid-argument', { expected, got: String(got) });
const wholeNumber = (value: number, least: number, most: number, name: string): number => {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw invalid(`${name} from ${least} to ${most}`, value);
};

const sessionError = (event: RawEvent): ReelError =>
  event.notTransportStream
    ? new ReelError('not-mpegts', { expected: event.expected, got: event.got })
    : errnoError(event.errno, event.expected);

interface Session {
  error: ReelError | null;
  finished: Promise<void> | null;
  settle: { resolve: () => void; reject: (error: ReelError) => void } | null;
}

/**
 * Writes streams into the reels of volumes. One writer serves any number of streams; its threads do all disk work. Methods throw
 * `ReelError`; an open session keeps the process alive, an idle writer does not.
 */
export class NativeWriter {
  readonly #raw: RawWriter;
  readonly #onEvents: (events: WriterEvent[]) => void;
  readonly #sessions = new Map<number, Session>();
  #closing: Promise<void> | null = null;

  /** `io-error` when io_uring is asked for and the kernel forbids it. */
  constructor(options: WriterOptions, onEvents: (events: WriterEvent[]) => void) {
    const stagingBytes = wholeNumber(options.stagingBytes ?? 64 * mib, 4 * mib, 2 ** 40, 'stagingBytes');
    const interval = wholeNumber(options.commitIntervalMs ?? 1000, 1, 3_600_000, 'commitIntervalMs');
    this.#onEvents = onEvents;
    try {
      this.#raw = new addon.SegmentWriter(backends[options.backend ?? 'auto'], stagingBytes, interval, (events) =>
        this.#receive(events),
      );
    } catch (error) {
      const { errno } = error as { errno?: number };
      throw errno === undefined ? error : errnoError(errno, 'to start the segment writer');
    }
  }

  get backend(): 'io_uring' | 'pwrite' {
    return this.#raw.ioUring ? 'io_uring' : 'pwrite';
  }

  /** When `append` answers more than this, stop until `drain`. Bytes. */
  get highMark(): number {
    return this.#raw.highMark;
  }

  /** Dups the descriptor of the volume's root. `uuid`: 16 bytes, the container's; goes into the header of every index. */
  addVolume(dirFd: number, uuid: Uint8Array = new Uint8Array(16)): number {
    this.#mustBeOpen();
    wholeNumber(dirFd, 0, 2 ** 31 - 1, 'a descriptor');
    if (uuid.length !== 16) throw invalid('a UUID of 16 bytes', `${uuid.length} bytes`);
    const volume = this.#raw.addVolume(dirFd, uuid);
    if (volume < 0) throw errnoError(-volume, 'to dup the descriptor of the volume');
    return volume;
  }

  /** Gives the volume's descriptor back. `volume-busy` while sessions are open. */
  async removeVolume(volume: number): Promise<void> {
    this.#mustBeOpen();
    const error = this.#raw.removeVolume(wholeNumber(volume, 1, 2 ** 31 - 1, 'a volume'));
    if (-error === 0) return;
    const failure = errnoError(-error, 'a volume without open sessions');
    if (failure.code !== 'stream-busy') throw failure;
    throw new ReelError('volume-busy', { ...failure.parts, hint: 'finish its streams first', cause: failure });
  }

  /** Opens a session. `stream-busy`: the name is being written in this volume. `out-of-memory`: too many for `stagingBytes`. */
  openStream(options: StreamOptions): number {
    this.#mustBeOpen();
    if (!streamName.test(options.name)) throw invalid('a stream name of letters, digits, ".", "_", "-"', options.name);
    const stream = this.#raw.openStream(
      wholeNumber(options.volume, 1, 2 ** 31 - 1, 'a volume'),
      options.name,
      wholeNumber(options.segmentMs, 100, 600_000, 'segmentMs'),
      options.evidence ?? false,
      options.lastEndUs === null ? null : wholeNumber(options.lastEndUs, 0, Number.MAX_SAFE_INTEGER, 'lastEndUs'),
      (options.gapReasons ?? 0) & gapReasonsMask,
    );
    if (stream < 0) throw errnoError(-stream, `to open the stream ${options.name}`);
    this.#sessions.set(stream, { error: null, finished: null, settle: null });
    return stream;
  }

  /**
   * Takes (copies) bytes of a session: at most `longestAppend` at once. Answers how many bytes of the stream wait to be written: above
   * `highMark` stop until `drain`. Answers -1 when the staging memory is used up: nothing was taken, give the same bytes again after
   * `drain`. Throws the session's error once it is over, `recording-stopped` after `finish`.
   */
  append(stream: number, bytes: Uint8Array, nowUs: number): number {
    if (bytes.length === 0 || bytes.length > longestAppend)
      throw invalid(`1 to ${longestAppend} bytes`, `${bytes.length}`);
    const queued = this.#raw.append(stream, bytes, nowUs);
    if (queued !== -2) return queued;
    // Looked up only now: this is called for each chunk.
    const session = this.#session(stream);
    if (session.finished !== null) throw this.#over(stream);
    throw session.error ?? this.#over(stream);
  }

  /**
   * Ends a session: the tail becomes a segment, everything is made durable, the reel is cut to its length and closed. Rejects when storage
   * failed: then what was acknowledged before is durable, and nothing else is promised. Idempotent.
   */
  finish(stream: number): Promise<void> {
    const session = this.#session(stream);
    if (session.finished === null) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      session.finished = promise;
      session.settle = { resolve, reject };
      this.#raw.finish(stream);
    }
    return session.finished;
  }

  /** Why time may be missing before the next segment of the session, as bits of `gapReasonsMask`: flags of it, if time is. */
  noteGap(stream: number, reasons: number): void {
    this.#session(stream);
    this.#raw.noteGap(stream, reasons & gapReasonsMask);
  }

  /** What the parser counted; zeros once `finish` was called. */
  counters(stream: number): StreamCounters {
    this.#session(stream);
    return this.#raw.counters(stream);
  }

  /** Finishes every session, then ends the threads. Never rejects: a session's own failure is for whoever called its `finish`. */
  close(): Promise<void> {
    this.#closing ??= Promise.allSettled([...this.#sessions.keys()].map((stream) => this.finish(stream))).then(() =>
      this.#raw.stop(),
    );
    return this.#closing;
  }

  #receive(events: readonly RawEvent[]): void {
    const told: WriterEvent[] = [];
    const settled: (() => void)[] = [];
    for (const event of events) {
      const { type, stream } = event;
      const session = this.#sessions.get(stream);
      if (type === 'durable')
        told.push({ type, stream, reel: event.reel, records: event.records, lagsMs: event.lagsMs });
      else if (type === 'drain') told.push({ type, stream });
      else if (type === 'segment')
        for (const segment of event.records) told.push({ type, stream, reel: event.reel, segment });
      else if (type === 'error') {
        const error = sessionError(event);
        if (session !== undefined) session.error ??= error;
        told.push({ type, stream, error });
      } else if (session?.settle) {
        const { resolve, reject } = session.settle;
        this.#sessions.delete(stream);
        settled.push(event.errno === 0 ? resolve : () => reject(errnoError(event.errno, event.expected)));
      }
    }
    // Whoever waits for a session finds its last events told.
    try {
      if (told.length > 0) this.#onEvents(told);
    } finally {
      for (const settle of settled) settle();
    }
  }

  #session(stream: number): Session {
    const session = this.#sessions.get(stream);
    if (session === undefined) throw this.#over(stream);
    return session;
  }

  #over(stream: number): ReelError {
    return new ReelError('recording-stopped', { expected: `an open session ${stream}`, got: 'one that is over' });
  }

  #mustBeOpen(): void {
    if (this.#closing !== null)
      throw new ReelError('not-running', { expected: 'an open writer', got: 'one that is closed' });
  }
}
