/**
 * The recorder: which streams there are, which volumes are attached, and who is publishing. It owns the native writer and the archives
 * of the attached volumes; the descriptors of the volumes stay with whoever attaches them.
 */
import { EventEmitter } from 'node:events';
import type { VolumeArchive } from '../archive/archive.ts';
import { segmentOf } from '../archive/index-file.ts';
import type { RecoveredReel } from '../archive/recovery.ts';
import { hourOf, reelPath } from '../archive/reel.ts';
import { endUs, type Segment } from '../archive/segment.ts';
import { ReelError, toReelError } from '../errors.ts';
import {
  NativeWriter,
  type RecoveryReport,
  recoverReel,
  type StreamCounters,
  type StreamOptions,
  type WriterEvent,
} from '../native.ts';
import { type AttachedVolume, AttachedVolumes, type Recordable } from './attached-volumes.ts';
import { DeclaredStreams, unknownStream } from './declared-streams.ts';
import { recordingStopped, streamBusy } from './refusals.ts';
import { RecordingSession } from './session.ts';
import { StreamHistory } from './stream-history.ts';
import type { NumberAnchor, StreamSettings } from './stream-registry.ts';
import { takeUp } from './take-up.ts';
import type { RecorderEvents, RecorderParams, StreamStatus, StreamView } from './types.ts';

/** A stream's place is taken from the moment its publisher is accepted, before the writer has it. */
interface Place {
  readonly volume: string;
  readonly publisher: string;
  readonly session: Promise<RecordingSession>;
}

export class Recorder extends EventEmitter<RecorderEvents> {
  readonly #params: RecorderParams;
  readonly #streams: DeclaredStreams;
  readonly #writer: NativeWriter;
  readonly #volumes: AttachedVolumes;
  readonly #places = new Map<string, Place>();
  readonly #sessions = new Map<number, RecordingSession>();
  readonly #history: StreamHistory;
  /** Volumes that take no recordings now, and why. */
  readonly #held = new Map<string, ReelError>();
  #closed: Promise<void> | undefined;

  constructor(params: RecorderParams) {
    super();
    this.#params = params;
    this.#history = new StreamHistory(params.elapsed ?? (() => performance.now()));
    this.#writer = new NativeWriter(params.writer, (events) => this.#onEvents(events));
    this.#volumes = new AttachedVolumes({ writer: this.#writer, log: params.log });
    const { registry, defaults } = params;
    this.#streams = new DeclaredStreams({ path: registry, defaults, volumesInUse: () => this.#volumes.writable });
  }

  async start(): Promise<void> {
    await this.#streams.registry.load();
  }

  /** Drains every volume, then ends the writer. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      await Promise.all(this.#volumes.names.map((name) => this.#letGo(name, (stream) => recordingStopped(stream))));
      await this.#writer.close();
    })();
    return this.#closed;
  }

  /** The volumes in use. */
  get attached(): string[] {
    return this.#volumes.names;
  }

  /** The streams that somebody publishes now. */
  get recording(): string[] {
    return [...this.#places.keys()];
  }

  /** How the native writer writes on this machine. */
  get backend(): string {
    return this.#writer.backend;
  }

  /**
   * Takes an open volume into use: recovers the reels that were open, then accepts publishers. Does nothing for one in use. A stream
   * that cannot be recovered is logged and is the only one that is refused; each new publisher of it tries again. The jail must stay open until `detachVolume` or `loseVolume` has resolved.
   */
  async attachVolume(volume: AttachedVolume): Promise<RecoveredReel[]> {
    const recovered = await this.#volumes.attach(volume);
    if (volume.readOnly !== true) this.#params.signer?.attached(this.#volumes.get(volume.name).archive);
    this.#held.delete(volume.name);
    return recovered;
  }

  /** Streams that are being recorded into the volume now. */
  recordings(volume: string): string[] {
    return [...this.#places].filter(([, place]) => place.volume === volume).map(([stream]) => stream);
  }

  /**
   * Lets go of a volume: with `drain` its recordings end first, with everything durable; without, `volume-busy` names them. Reads from it
   * end. Does nothing for a volume not in use.
   */
  async detachVolume(name: string, { drain }: { readonly drain: boolean }): Promise<void> {
    const streams = this.recordings(name);
    if (!drain && streams.length > 0)
      throw new ReelError('volume-busy', {
        expected: `no recording into the volume ${name}`,
        got: `${streams.length}: ${streams.slice(0, 5).join(', ')}`,
        hint: 'lock it with drain (`--drain`), which ends them with everything durable',
        details: { volume: name, streams },
      });
    await this.#letGo(name, (stream) => recordingStopped(stream));
    this.#held.delete(name);
  }

  /**
   * With a reason: recordings into the volume end with it, with everything durable, and new publishers get it; reading goes on. Without:
   * publishers are taken again.
   */
  async pauseVolume(name: string, reason: ReelError | undefined): Promise<void> {
    if (reason === undefined) {
      this.#held.delete(name);
      return;
    }
    this.#held.set(name, reason);
    await this.#endRecordings(name, () => reason);
  }

  /** The volume has failed: its recordings end with the error, and what can still be made durable is. */
  async loseVolume(name: string, error: ReelError): Promise<void> {
    const { expected, got, hint = 'its state says what to do' } = error.parts;
    this.#held.set(
      name,
      new ReelError('volume-paused', { expected, got, hint, details: { volume: name, code: error.code } }),
    );
    await this.#letGo(name, () => error);
  }

  /** Begins a session. `stream-busy` where there is one, `volume-state` where the stream's volume is not open, `volume-paused` where it waits. Declares a new stream. */
  async openSession(name: string, publisher: string): Promise<RecordingSession> {
    const settings = this.#streams.settingsFor(name);
    this.#mustBeFree(name);
    try {
      const held = this.#held.get(settings.volume);
      if (held !== undefined) throw held;
      const attached = this.#volumes.getWritable(settings.volume);
      if (attached.drained !== undefined) throw recordingStopped(name);
      const session = this.#open(settings, publisher, attached);
      this.#places.set(name, { volume: settings.volume, publisher, session });
      return await session;
    } catch (error) {
      this.#places.delete(name);
      await this.#judge(name, false);
      if (this.#streams.registry.get(name) !== undefined) this.#history.failed(name, toReelError(error));
      throw error;
    }
  }

  async list(): Promise<StreamView[]> {
    return this.#streams.registry.list().map((settings) => this.#view(settings));
  }

  async get(name: string): Promise<StreamView> {
    return this.#view(this.#streams.get(name));
  }

  status(name: string): StreamStatus {
    const view = this.#view(this.#streams.get(name));
    const running = [...this.#sessions.values()].find((one) => one.stream === name);
    const session = running?.status() ?? this.#history.session(name);
    return { ...view, session, failure: this.#history.failure(name) };
  }

  /** Of the sessions that run, by stream. */
  counters(): ReadonlyMap<string, StreamCounters> {
    return new Map([...this.#sessions.values()].map((session) => [session.stream, session.status().counters]));
  }

  /** Declares or changes a stream; a change holds from the next publisher on. */
  async put(name: string, change: Partial<Omit<StreamSettings, 'name'>>): Promise<StreamView> {
    const settings = { ...this.#streams.settingsFor(name), ...change, name };
    await this.#streams.put(settings);
    return this.#view(settings);
  }

  /** What the stream would record with, or does: its settings, or the defaults. `invalid-argument` for a name no stream can have. */
  settingsFor(name: string): StreamSettings {
    return this.#streams.settingsFor(name);
  }

  /** Whether the stream has recordings on the volume; `undefined` while that is not in use. */
  hasRecordings(name: string, volume: string): boolean | undefined {
    return this.#volumes.archive(volume)?.holds(name);
  }

  /** The archive of a volume, while that is in use. */
  volumeArchive(volume: string): VolumeArchive | undefined {
    return this.#volumes.archive(volume);
  }

  /** Forgets the settings of a stream; recordings stay. */
  async delete(name: string): Promise<void> {
    this.#streams.get(name);
    this.#mustBeFree(name);
    this.#history.forget(name);
    await this.#streams.delete(name);
  }

  /** The archive of an open volume; `volume-state` for another. */
  openArchive(volume: string): VolumeArchive {
    return this.#volumes.get(volume).archive;
  }

  /**
   * Makes index and reel of one hour agree again, as a start after a crash would (I1). `stream-busy` while it is being written, `not-found` without a reel.
   */
  async recoverReel(volume: string, stream: string, hour: number): Promise<RecoveryReport> {
    const { archive } = this.#volumes.getWritable(volume);
    const report = await recoverReel(archive.files.fd, reelPath(stream, hour));
    await archive.catalog?.changed({ stream, hour });
    return report;
  }

  // What playback asks.

  archive(name: string): VolumeArchive {
    const settings = this.#streams.registry.get(name);
    if (settings !== undefined) return this.#volumes.get(settings.volume).archive;
    const archive = this.#volumes.holderOf(name);
    if (archive === undefined) throw unknownStream(name);
    return archive;
  }

  segmentMs(name: string): number {
    return this.#streams.segmentMs(name);
  }

  isRecording(name: string): boolean {
    return this.#places.has(name);
  }

  idleMs(name: string): number {
    return this.#history.idleMs(name);
  }

  anchor(name: string): NumberAnchor | undefined {
    return this.#streams.registry.anchor(name);
  }

  setAnchor(name: string, anchor: NumberAnchor): Promise<void> {
    return this.#streams.registry.setAnchor(name, anchor);
  }

  #view({ name, volume, segmentMs, evidence }: StreamSettings): StreamView {
    return { name, volume, segmentMs, evidence, recording: this.#places.has(name) };
  }

  #mustBeFree(name: string): void {
    const taken = this.#places.get(name);
    if (taken !== undefined) throw streamBusy(name, taken.publisher);
  }

  async #open(settings: StreamSettings, publisher: string, attached: Recordable): Promise<RecordingSession> {
    const { name, volume, segmentMs, evidence } = settings;
    const { archive, writerId } = attached;
    await this.#streams.try(settings);
    await takeUp(archive, name, this.#params.log.child({ volume }));
    await archive.catalog?.began(name);
    await this.#params.signer?.begin(archive, name, evidence);
    const newest = await archive.newest(name);
    archive.showUpTo(name, newest?.startUs ?? -1);
    const id = this.#openStream(attached, {
      volume: writerId,
      name,
      segmentMs,
      evidence,
      lastEndUs: newest === undefined ? null : endUs(newest),
    });
    const { log, now } = this.#params;
    const session: RecordingSession = new RecordingSession({
      writer: this.#writer,
      id,
      stream: name,
      volume,
      publisher,
      now,
      onEnd: (failure, clean) => this.#ended(session, failure, clean),
    });
    this.#sessions.set(id, session);
    this.#history.began(name);
    log.info({ stream: name, volume, publisher }, 'recording began');
    this.emit('start', name, publisher, volume);
    return session;
  }

  #openStream({ archive }: Recordable, options: StreamOptions): number {
    try {
      return this.#writer.openStream(options);
    } catch (error) {
      void archive.catalog?.ended(options.name, true); // nothing was written
      throw error;
    }
  }

  async #ended(session: RecordingSession, failure: ReelError | undefined, clean: boolean): Promise<void> {
    const { stream, volume, id } = session;
    const status = session.status();
    const archive = this.#volumes.archive(volume);
    // The next session may append to the same reel: it comes after the signature.
    if (archive !== undefined) await this.#params.signer?.ended(archive, stream, clean);
    this.#sessions.delete(id);
    this.#places.delete(stream);
    // After a failure of the storage the index may end with records that are not durable: they stay hidden until the next recovery.
    if (clean) archive?.showAll(stream);
    void archive?.catalog?.ended(stream, clean);
    this.#history.ended(stream, status, failure);
    this.#params.log.info({ stream, ...status, failure: failure?.code }, 'recording ended');
    this.emit('end', stream, failure, session);
    if (!(await this.#judge(stream, status.segments > 0))) this.#history.forget(stream);
  }

  /** False where the stream went with its publisher. A state directory that cannot be written keeps it: no reason to fail a recording. */
  async #judge(name: string, recorded: boolean): Promise<boolean> {
    try {
      return await this.#streams.judge(name, recorded);
    } catch (error) {
      this.#params.log.error(
        { stream: name, err: error },
        'a stream of which nothing was recorded could not be forgotten',
      );
      return true;
    }
  }

  #letGo(name: string, reason: (stream: string) => ReelError): Promise<void> {
    return this.#volumes.letGo(name, async () => {
      await this.#endRecordings(name, reason);
      const archive = this.#volumes.archive(name);
      if (archive !== undefined) await this.#params.signer?.settled(archive);
    });
  }

  async #endRecordings(volume: string, reason: (stream: string) => ReelError): Promise<void> {
    const places = [...this.#places].filter(([, place]) => place.volume === volume);
    await Promise.all(
      places.map(async ([stream, place]) => {
        const session = await place.session.catch(() => undefined); // its publisher has the reason
        await session?.stop(reason(stream));
      }),
    );
  }

  #onEvents(events: readonly WriterEvent[]): void {
    for (const event of events) {
      const session = this.#sessions.get(event.stream);
      if (session === undefined) continue;
      if (event.type === 'durable')
        this.#durable(
          session,
          event.records.map((record) => segmentOf(record, hourOf(record.startUs))),
        );
      else if (event.type === 'drain') session.drained();
      else if (event.type === 'error') session.failed(event.error);
    }
  }

  #durable(session: RecordingSession, segments: readonly Segment[]): void {
    const last = segments.at(-1);
    if (last === undefined) return;
    session.durable(segments);
    const archive = this.#volumes.archive(session.volume);
    archive?.showUpTo(session.stream, last.startUs);
    for (const { hour } of segments) archive?.catalog?.durable(session.stream, hour);
    if (archive !== undefined) this.#params.signer?.durable(archive, session.stream, last.hour);
    this.emit('durable', session.stream, segments);
  }
}
