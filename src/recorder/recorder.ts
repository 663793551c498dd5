/**
 * The recorder: which streams there are, which volumes are attached, and who is publishing. It owns the native writer and the archives
 * of the attached volumes; the descriptors of the volumes stay with whoever attaches them.
 */
import { EventEmitter } from 'node:events';
import type { Logger } from 'pino';
import { VolumeArchive } from '../archive/archive.ts';
import { mendNewest, type RecoveredReel, recoverStream, recoverVolume } from '../archive/recovery.ts';
import { hourOf, hourPath, hourUs } from '../archive/reel.ts';
import { endUs, type Segment } from '../archive/segment.ts';
import type { VolumeFiles } from '../archive/volume-files.ts';
import { ReelError } from '../errors.ts';
import { NativeWriter, type SegmentRecord, type WriterEvent } from '../native.ts';
import { RecordingSession, type SessionStatus } from './session.ts';
import { checkNewStreamName, type NumberAnchor, StreamRegistry, type StreamSettings } from './stream-registry.ts';

export interface RecorderParams {
  /** The file the streams are kept in. */
  readonly registry: string;
  /** Settings of a stream that a publisher names for the first time. */
  readonly defaults: { readonly volume: string; readonly segmentMs: number; readonly evidence: boolean };
  readonly writer: {
    readonly backend: 'auto' | 'io_uring' | 'pwrite';
    readonly stagingBytes: number;
    readonly commitIntervalMs: number;
  };
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export interface RecorderEvents {
  start: [stream: string, publisher: string];
  durable: [stream: string, segments: readonly Segment[]];
  end: [stream: string, failure: ReelError | undefined];
}

export interface StreamView extends StreamSettings {
  readonly recording: boolean;
}

export interface StreamStatus extends StreamView {
  readonly session: SessionStatus | null;
  /** How the last session ended, where it was by a failure. */
  readonly failure: ReelError | null;
}

/** An open volume; its jail stays the volume manager's. */
export interface AttachedVolume {
  readonly name: string;
  /** The container's, as text. */
  readonly uuid: string;
  readonly jail: VolumeFiles;
}

interface Attached {
  readonly archive: VolumeArchive;
  readonly writerId: number;
  /** Set when a drain has begun: new publishers are refused from then on. */
  drained?: Promise<void>;
}

/** A stream's place is taken from the moment its publisher is accepted, before the writer has it. */
interface Place {
  readonly volume: string;
  readonly publisher: string;
  readonly session: Promise<RecordingSession>;
}

const uuidBytes = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex');

/** A record of the writer's as the archive has it: the reel is that of the hour of its start. */
const segmentOf = (record: SegmentRecord): Segment => {
  const { sequence, offset, length, flags, startUs, duration, crc32c } = record;
  return { hour: hourOf(startUs), sequence, offset, length, flags, startUs, duration, crc32c };
};

export class Recorder extends EventEmitter<RecorderEvents> {
  readonly #params: RecorderParams;
  readonly #registry: StreamRegistry;
  readonly #writer: NativeWriter;
  readonly #volumes = new Map<string, Attached>();
  readonly #places = new Map<string, Place>();
  readonly #sessions = new Map<number, RecordingSession>();
  readonly #failures = new Map<string, ReelError>();
  #closed: Promise<void> | undefined;

  constructor(params: RecorderParams) {
    super();
    this.#params = params;
    this.#registry = new StreamRegistry({ path: params.registry });
    this.#writer = new NativeWriter(params.writer, (events) => this.#onEvents(events));
  }

  async start(): Promise<void> {
    await this.#registry.load();
  }

  /** Drains every volume, then ends the writer. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      await Promise.all([...this.#volumes.keys()].map((name) => this.#letGo(name, (stream) => this.#stopped(stream))));
      await this.#writer.close();
    })();
    return this.#closed;
  }

  /** The volumes in use. */
  get attached(): string[] {
    return [...this.#volumes.keys()];
  }

  /** How the native writer writes on this machine. */
  get backend(): string {
    return this.#writer.backend;
  }

  /**
   * Takes an open volume into use: recovers the reels that were open, then accepts publishers. Does nothing for one in use. A stream
   * that cannot be recovered is logged and is the only one that is refused; each new publisher of it tries again. The jail must stay open until `detachVolume` or `loseVolume` has resolved.
   */
  async attachVolume({ name, uuid, jail }: AttachedVolume): Promise<RecoveredReel[]> {
    if (this.#volumes.has(name)) return [];
    const { recovered, failed } = await recoverVolume(jail);
    const writerId = this.#writer.addVolume(jail.fd, uuidBytes(uuid));
    const { log } = this.#params;
    const archive = new VolumeArchive({
      files: jail,
      onDamaged: (stream, hour, error) =>
        log.error({ volume: name, stream, hour: hourPath(hour), err: error }, 'passed over a damaged reel'),
    });
    this.#volumes.set(name, { archive, writerId });
    for (const { stream, hour, error } of failed) {
      // What the index of that reel names may not be there: nothing from it on is shown until a recovery has succeeded.
      archive.showUpTo(stream, hour === undefined ? -1 : hour * hourUs - 1);
      log.error({ volume: name, stream, err: error }, 'a stream could not be recovered');
    }
    for (const reel of recovered) log.warn({ volume: name, ...reel }, 'recovered a reel that was open');
    return recovered;
  }

  /**
   * Lets go of a volume: with `drain` its recordings end first, with everything durable; without, `volume-busy` names them. Reads from it
   * end. Does nothing for a volume not in use.
   */
  async detachVolume(name: string, { drain }: { readonly drain: boolean }): Promise<void> {
    const streams = [...this.#places].filter(([, place]) => place.volume === name).map(([stream]) => stream);
    if (!drain && streams.length > 0)
      throw new ReelError('volume-busy', {
        expected: `no recording into the volume ${name}`,
        got: `${streams.length}: ${streams.slice(0, 5).join(', ')}`,
        hint: 'drain the volume to end them',
        details: { volume: name, streams },
      });
    await this.#letGo(name, (stream) => this.#stopped(stream));
  }

  /** The volume has failed: its recordings end with the error, and what can still be made durable is. */
  async loseVolume(name: string, error: ReelError): Promise<void> {
    await this.#letGo(name, () => error);
  }

  /** Begins a session. `stream-busy` where there is one, `volume-state` where the stream's volume is not open. Declares a new stream. */
  async openSession(name: string, publisher: string): Promise<RecordingSession> {
    const settings = this.#registry.get(checkNewStreamName(name)) ?? this.#declared(name);
    const taken = this.#places.get(name);
    if (taken !== undefined)
      throw new ReelError('stream-busy', {
        expected: `no publisher on ${name}`,
        got: `one from ${taken.publisher}`,
        hint: 'stop it, or wait until it has stalled for long enough to be let go',
        details: { stream: name, publisher: taken.publisher },
      });
    const attached = this.#attached(settings.volume);
    if (attached.drained !== undefined) throw this.#stopped(name);
    const session = this.#open(settings, publisher, attached);
    const place = { volume: settings.volume, publisher, session };
    this.#places.set(name, place);
    try {
      return await session;
    } catch (error) {
      if (this.#places.get(name) === place) this.#places.delete(name);
      throw error;
    }
  }

  async list(): Promise<StreamView[]> {
    return this.#registry.list().map((settings) => this.#view(settings));
  }

  async get(name: string): Promise<StreamView> {
    return this.#view(this.#known(name));
  }

  status(name: string): StreamStatus {
    const view = this.#view(this.#known(name));
    const session = [...this.#sessions.values()].find((one) => one.stream === name);
    return { ...view, session: session?.status() ?? null, failure: this.#failures.get(name) ?? null };
  }

  /** Declares or changes a stream; a change holds from the next publisher on. */
  async put(name: string, change: Partial<Omit<StreamSettings, 'name'>>): Promise<StreamView> {
    const settings = { ...(this.#registry.get(checkNewStreamName(name)) ?? this.#declared(name)), ...change, name };
    await this.#registry.put(settings);
    return this.#view(settings);
  }

  /** Forgets the settings of a stream; recordings stay. */
  async delete(name: string): Promise<void> {
    this.#known(name);
    const taken = this.#places.get(name);
    if (taken !== undefined)
      throw new ReelError('stream-busy', { expected: `no publisher on ${name}`, got: `one from ${taken.publisher}` });
    await this.#registry.delete(name);
  }

  // What playback asks.

  archive(name: string): VolumeArchive {
    const settings = this.#registry.get(name);
    if (settings !== undefined) return this.#attached(settings.volume).archive;
    const holder = [...this.#volumes.values()].find(({ archive }) => archive.streams().includes(name));
    if (holder === undefined) throw this.#unknown(name);
    return holder.archive;
  }

  segmentMs(name: string): number {
    return (this.#registry.get(name) ?? this.#params.defaults).segmentMs;
  }

  isRecording(name: string): boolean {
    return this.#places.has(name);
  }

  anchor(name: string): NumberAnchor | undefined {
    return this.#registry.anchor(name);
  }

  setAnchor(name: string, anchor: NumberAnchor): Promise<void> {
    return this.#registry.setAnchor(name, anchor);
  }

  #view({ name, volume, segmentMs, evidence }: StreamSettings): StreamView {
    return { name, volume, segmentMs, evidence, recording: this.#places.has(name) };
  }

  #declared(name: string): StreamSettings {
    const { defaults } = this.#params;
    const [only, ...others] = this.#volumes.keys();
    const volume = only !== undefined && others.length === 0 ? only : defaults.volume;
    return { name, ...defaults, volume };
  }

  #unknown(name: string): ReelError {
    return new ReelError('not-found', { expected: 'a stream that is declared or recorded', got: name });
  }

  #known(name: string): StreamSettings {
    const settings = this.#registry.get(name);
    if (settings === undefined) throw this.#unknown(name);
    return settings;
  }

  #attached(name: string): Attached {
    const attached = this.#volumes.get(name);
    if (attached === undefined)
      throw new ReelError('volume-state', {
        expected: `the volume ${name} open`,
        got: 'not open',
        hint: 'open the volume first',
        details: { volume: name },
      });
    return attached;
  }

  #stopped(name: string): ReelError {
    return new ReelError('recording-stopped', {
      expected: `the volume of ${name} to stay open`,
      got: 'it is being locked, or the service is stopping',
      hint: 'all segments that were acknowledged are safe',
      details: { stream: name },
    });
  }

  async #open(settings: StreamSettings, publisher: string, attached: Attached): Promise<RecordingSession> {
    const { name, volume, segmentMs, evidence } = settings;
    const { archive, writerId } = attached;
    await this.#registry.put(settings);
    // A marker is left where the former session ended with a failure of the writer.
    await recoverStream(archive.files, name);
    archive.showAll(name);
    for (const reel of await mendNewest(archive, name))
      this.#params.log.warn({ volume, ...reel }, 'rebuilt an index whose header was damaged');
    const newest = await archive.newest(name);
    archive.showUpTo(name, newest?.startUs ?? -1);
    const id = this.#writer.openStream({
      volume: writerId,
      name,
      segmentMs,
      evidence,
      lastEndUs: newest === undefined ? null : endUs(newest),
    });
    const { log, now } = this.#params;
    const session = new RecordingSession({
      writer: this.#writer,
      id,
      stream: name,
      volume,
      publisher,
      now,
      onEnd: (failure, clean) => this.#ended(session, failure, clean),
    });
    this.#sessions.set(id, session);
    this.#failures.delete(name);
    log.info({ stream: name, volume, publisher }, 'recording began');
    this.emit('start', name, publisher);
    return session;
  }

  #ended(session: RecordingSession, failure: ReelError | undefined, clean: boolean): void {
    const { stream, volume, id } = session;
    this.#sessions.delete(id);
    this.#places.delete(stream);
    // After a failure of the storage the index may end with records that are not durable: they stay hidden until the next recovery.
    if (clean) this.#volumes.get(volume)?.archive.showAll(stream);
    if (failure !== undefined) this.#failures.set(stream, failure);
    this.#params.log.info({ stream, ...session.status(), failure: failure?.code }, 'recording ended');
    this.emit('end', stream, failure);
  }

  async #letGo(name: string, reason: (stream: string) => ReelError): Promise<void> {
    const attached = this.#volumes.get(name);
    if (attached === undefined) return;
    attached.drained ??= this.#drain(name, attached, reason);
    await attached.drained;
  }

  async #drain(name: string, attached: Attached, reason: (stream: string) => ReelError): Promise<void> {
    const places = [...this.#places].filter(([, place]) => place.volume === name);
    await Promise.all(
      places.map(async ([stream, place]) => {
        const session = await place.session.catch(() => undefined); // its publisher has the reason
        await session?.stop(reason(stream));
      }),
    );
    try {
      await this.#writer.removeVolume(attached.writerId);
    } finally {
      // Whatever the writer says, nothing of ours may keep the volume from being locked, or from being attached again.
      await attached.archive.close();
      this.#volumes.delete(name);
    }
  }

  #onEvents(events: readonly WriterEvent[]): void {
    for (const event of events) {
      const session = this.#sessions.get(event.stream);
      if (session === undefined) continue;
      if (event.type === 'durable') this.#durable(session, event.records.map(segmentOf));
      else if (event.type === 'drain') session.drained();
      else if (event.type === 'error') session.failed(event.error);
    }
  }

  #durable(session: RecordingSession, segments: readonly Segment[]): void {
    const last = segments.at(-1);
    if (last === undefined) return;
    session.durable(segments);
    this.#volumes.get(session.volume)?.archive.showUpTo(session.stream, last.startUs);
    this.emit('durable', session.stream, segments);
  }
}
