/**
 * The recorder: which streams there are, which volumes are attached, and who is publishing. It owns the recordings and the archives
 * of the attached volumes; the descriptors of the volumes stay with whoever attaches them.
 */
import { EventEmitter } from 'node:events';
import type { VolumeArchive } from '../archive/archive.ts';
import { gapFlags } from '../archive/gap-reasons.ts';
import type { Gap } from '../archive/gaps.ts';
import type { RecoveredReel } from '../archive/recovery.ts';
import { reelPath } from '../archive/reel.ts';
import { ReelError } from '../errors.ts';
import { type RecoveryReport, recoverReel, StandbyMemory, type StreamCounters } from '../native.ts';
import { type AttachedVolume, AttachedVolumes } from './attached-volumes.ts';
import { DeclaredStreams, unknownStream } from './declared-streams.ts';
import { GapCauses } from './gap-causes.ts';
import { Publication } from './publication.ts';
import { type OrderRequest, RecordingControl } from './recording-control.ts';
import type { Wanted } from './recording-rules.ts';
import { Recordings } from './recordings.ts';
import { recordingStopped, streamBusy } from './refusals.ts';
import type { Schedule } from './schedule.ts';
import type { RecordingSession } from './session.ts';
import { SlowStorage } from './slow-storage.ts';
import { StreamHistory } from './stream-history.ts';
import type { NumberAnchor, StreamSettings } from './stream-registry.ts';
import { storageReason, TroubleLog } from './trouble-log.ts';
import type { RecorderEvents, RecorderParams, RecordingLag, StreamStatus, StreamView } from './types.ts';

export class Recorder extends EventEmitter<RecorderEvents> {
  readonly #params: RecorderParams;
  readonly #streams: DeclaredStreams;
  readonly #recordings: Recordings;
  readonly #volumes: AttachedVolumes;
  /** A stream's place is taken from the moment its publisher is accepted, before the writer has it. */
  readonly #places = new Map<string, Publication>();
  readonly #history: StreamHistory;
  readonly #control: RecordingControl;
  readonly #standby: StandbyMemory;
  readonly #troubles: TroubleLog;
  readonly #gaps: GapCauses;
  readonly #slow: SlowStorage;
  /** Volumes that take no recordings now, and why. */
  readonly #held = new Map<string, ReelError>();
  #clock: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  constructor(params: RecorderParams) {
    super();
    this.#params = params;
    const { log, now, signer, elapsed = () => performance.now() } = params;
    this.#history = new StreamHistory(elapsed);
    this.#recordings = new Recordings({
      ...{ writer: params.writer, signer, log, now, elapsed },
      archive: (volume) => this.#volumes.archive(volume),
      onDurable: ({ stream, volume }, segments, lagsMs) => this.emit('durable', stream, segments, volume, lagsMs),
      onEnd: ({ stream, volume }) => {
        this.#history.left(stream);
        if (this.#places.get(stream)?.wanted === false) this.emit('turned', stream, false, volume);
      },
    });
    this.#volumes = new AttachedVolumes({ writer: this.#recordings.writer, log });
    const { registry, defaults } = params;
    this.#streams = new DeclaredStreams({ path: registry, defaults, volumesInUse: () => this.#volumes.writable });
    this.#standby = new StandbyMemory(params.standbyBytes ?? 0);
    this.#troubles = new TroubleLog(now);
    this.#slow = new SlowStorage({
      ...{ elapsed, mostMs: params.holdBackMs ?? 10_000, troubles: this.#troubles, log },
      onShedding: (publication, dropping, bytes) => this.emit('shedding', publication, dropping, bytes),
    });
    this.#control = new RecordingControl({ streams: this.#streams, now, follow: (stream) => this.#follow(stream) });
    this.#gaps = new GapCauses({ control: this.#control, troubles: this.#troubles, now });
  }

  async start(): Promise<void> {
    await this.#streams.registry.load();
    this.#clock = setInterval(() => this.lookAtClock(), 1000).unref();
  }

  /** Begins and ends recordings that time has come for, and lets publishers go on that the disk has held back for too long. Called once a second: by the wall clock of that moment, whatever was done to it. */
  lookAtClock(): void {
    for (const [stream, publication] of this.#places) {
      void this.#follow(stream);
      this.#slow.look(publication);
    }
  }

  /** Drains every volume, then ends the writer. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      clearInterval(this.#clock);
      await Promise.all(this.#volumes.names.map((name) => this.#letGo(name, (stream) => recordingStopped(stream))));
      await Promise.all([...this.#places.values()].map((each) => each.stop(recordingStopped(each.stream))));
      await this.#recordings.close();
    })();
    return this.#closed;
  }

  /** The volumes in use. */
  get attached(): string[] {
    return this.#volumes.names;
  }

  /** The streams that somebody publishes now, recorded or not. */
  get published(): string[] {
    return [...this.#places.keys()];
  }

  /** How the native writer writes on this machine. */
  get backend(): string {
    return this.#recordings.writer.backend;
  }

  /**
   * Takes an open volume into use: recovers the reels that were open, then accepts publishers. Does nothing for one in use. A stream
   * that cannot be recovered is logged and is the only one that is refused; each new publisher of it tries again. The jail must stay open until `detachVolume` or `loseVolume` has resolved.
   */
  async attachVolume(volume: AttachedVolume): Promise<RecoveredReel[]> {
    const recovered = await this.#volumes.attach(volume);
    if (volume.readOnly !== true) this.#params.signer?.attached(this.#volumes.get(volume.name).archive);
    this.#held.delete(volume.name);
    this.#troubles.ended(`volume:${volume.name}`);
    return recovered;
  }

  /** Streams that are being recorded into the volume now. */
  recordings(volume: string): string[] {
    return this.#recordedInto(volume).map(({ stream }) => stream);
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
    if (this.#volumes.archive(name) !== undefined) this.#troubles.began(`volume:${name}`, 'locked');
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
      if (this.#volumes.archive(name) !== undefined) this.#troubles.ended(`volume:${name}`);
      else this.#troubles.began(`volume:${name}`, 'locked');
      return;
    }
    this.#held.set(name, reason);
    this.#troubles.began(`volume:${name}`, storageReason(reason) ?? 'disk');
    await this.#endRecordings(name, () => reason);
  }

  /** The volume has failed: its recordings end with the error, and what can still be made durable is. */
  async loseVolume(name: string, error: ReelError): Promise<void> {
    const { expected, got, hint = 'its state says what to do' } = error.parts;
    this.#troubles.began(`volume:${name}`, storageReason(error) ?? 'disk');
    this.#held.set(
      name,
      new ReelError('volume-paused', { expected, got, hint, details: { volume: name, code: error.code } }),
    );
    await this.#letGo(name, () => error);
  }

  /**
   * Lets a publisher in. `stream-busy` where there is one. Where it is to be recorded: `volume-state` where the stream's volume is not open,
   * `volume-paused` where it waits. Declares a new stream.
   */
  async openSession(name: string, publisher: string): Promise<Publication> {
    const { volume } = this.#streams.settingsFor(name);
    this.#mustBeFree(name);
    const { log, now } = this.#params;
    const publication: Publication = new Publication({
      ...{ stream: name, publisher, volume, now, memory: this.#standby },
      keepMs: () => (this.#streams.settingsFor(name).preRecordSeconds ?? 0) * 1000,
      open: () => this.#open(publication),
      onTrouble: (error) => {
        log.error({ stream: name, err: error }, 'a recording that was to end could not be made durable');
        this.#history.failed(name, error);
      },
      onEnd: (_publication, failure) => this.#ended(publication, failure),
    });
    this.#places.set(name, publication);
    // An order may come while it is being opened.
    for (let record: boolean | undefined; record !== this.#control.wanted(name).record; ) {
      record = this.#control.wanted(name).record;
      await publication.follow(record);
      if (publication.failure === undefined) continue;
      await publication.finish().catch(() => {});
      throw publication.failure;
    }
    publication.letIn = true;
    this.#history.began(name);
    log.info({ stream: name, volume: publication.volume, publisher }, 'publishing began');
    this.emit('start', name, publisher, publication.volume);
    return publication;
  }

  async list(): Promise<StreamView[]> {
    return this.#streams.registry.list().map((settings) => this.#view(settings));
  }

  async get(name: string): Promise<StreamView> {
    return this.#view(this.#streams.get(name));
  }

  status(name: string): StreamStatus {
    const view = this.#view(this.#streams.get(name));
    const session = this.#places.get(name)?.status() ?? this.#history.session(name);
    const { bytes = 0, sinceUs = null } = this.#places.get(name)?.kept() ?? {};
    const kept = { bytes, since: sinceUs === null ? null : Math.round(sinceUs / 1000) };
    return { ...view, kept, session, failure: this.#history.failure(name) };
  }

  /** Of the streams that are published, recorded or not. */
  counters(): ReadonlyMap<string, StreamCounters> {
    return new Map([...this.#places.values()].map((each) => [each.stream, each.status().counters]));
  }

  /** Records the stream or does not, whoever publishes it; resolves when that is on disk. `not-found` for one that is not declared. */
  async order(name: string, request: OrderRequest): Promise<StreamView> {
    await this.#control.setOrder(name, request);
    this.#params.log.info({ stream: name, ...request }, 'recording was ordered');
    this.emit('ordered', name, this.#control.order(name));
    return this.get(name);
  }

  /** Bytes that were dropped since the start because the storage was too slow, by stream. */
  get droppedBytes(): ReadonlyMap<string, number> {
    return this.#slow.dropped;
  }

  /** What kept, or keeps, all streams from being recorded. Unix milliseconds. */
  noteTrouble(reason: 'clock' | 'stopped', from: number, to: number): void {
    this.#troubles.was('service', reason, from, to);
    this.#recordings.noteGap(gapFlags([reason]));
  }

  /** How far each recording that runs is behind what came in, by stream. */
  lags(): ReadonlyMap<string, RecordingLag> {
    return this.#recordings.lags();
  }

  /** Declares or changes a stream; a change holds from the next recording on, what is kept in memory from now on. */
  async put(name: string, change: Partial<Omit<StreamSettings, 'name'>>): Promise<StreamView> {
    const before = this.#streams.settingsFor(name);
    const settings = { ...before, ...change, name };
    await this.#streams.put(settings);
    if (settings.preRecordSeconds !== before.preRecordSeconds) this.#places.get(name)?.keepAnew();
    return this.#view(settings);
  }

  /** Records the stream in windows of the week (null: always) where no order says otherwise. As `order`. */
  async schedule(name: string, schedule: Schedule | null): Promise<StreamView> {
    await this.#control.setSchedule(name, schedule);
    this.#params.log.info({ stream: name, schedule }, 'a schedule was set');
    this.emit('scheduled', name, schedule);
    return this.get(name);
  }

  /** Where nothing was recorded within `[fromUs, toUs)`, and why; the last one may not have ended. As `archive`. */
  async gaps(name: string, fromUs: number, toUs: number): Promise<Gap[]> {
    const { volume } = this.#streams.settingsFor(name);
    const place = { stream: name, volume, isRecording: this.isRecording(name) };
    return this.#gaps.list(this.archive(name), place, fromUs, toUs);
  }

  /** Whether the stream is to be recorded now, and what says so. */
  wanted(name: string): Wanted {
    return this.#control.wanted(name);
  }

  /** Memory for what is not recorded, of all streams; bytes. */
  get standbyUsed(): number {
    return this.#standby.used;
  }

  /** Streams that are not to be recorded now, and what says so. */
  notRecorded(): { readonly stream: string; readonly by: Wanted['by'] }[] {
    return this.#streams.registry.list().flatMap(({ name }) => {
      const { record, by } = this.#control.wanted(name);
      return record ? [] : [{ stream: name, by }];
    });
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
    this.#troubles.forget(`stream:${name}`);
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
    return this.#places.get(name)?.isRecording === true;
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

  #view({ name, volume, segmentMs, evidence, preRecordSeconds = 0 }: StreamSettings): StreamView {
    return {
      ...{ name, volume, segmentMs, evidence, preRecordSeconds },
      publishing: this.#places.has(name),
      recording: this.isRecording(name),
      wanted: this.#control.wanted(name),
      order: this.#control.order(name),
      schedule: this.#schedule(name),
    };
  }

  #schedule(name: string): Schedule | null {
    const { schedule } = this.#control.rules(name);
    return schedule === null ? null : { timeZone: schedule.timeZone, windows: schedule.windows };
  }

  #mustBeFree(name: string): void {
    const taken = this.#places.get(name);
    if (taken !== undefined) throw streamBusy(name, taken.publisher);
  }

  async #follow(stream: string): Promise<void> {
    const publication = this.#places.get(stream);
    const { record } = this.#control.wanted(stream);
    if (publication?.letIn === true && publication.wanted !== record) await publication.follow(record);
  }

  async #open(publication: Publication): Promise<RecordingSession> {
    const { stream, publisher } = publication;
    const settings = this.#streams.settingsFor(stream);
    const { volume } = settings;
    const held = this.#held.get(volume);
    if (held !== undefined) throw held;
    const attached = this.#volumes.getWritable(volume);
    if (attached.drained !== undefined) throw recordingStopped(stream);
    publication.volume = volume;
    await this.#streams.try(settings);
    // It begins with what is kept of the publication, where anything is.
    const gapReasons = (fromUs: number): number =>
      this.#gaps.flags(publication, fromUs, publication.kept().sinceUs ?? undefined);
    const session = await this.#recordings.open({ volume: attached, settings, publisher, gapReasons });
    this.#troubles.ended(`stream:${stream}`);
    if (publication.letIn) this.emit('turned', stream, true, volume);
    return session;
  }

  /** A publisher has gone, or was not let in. */
  async #ended(publication: Publication, failure: ReelError | undefined): Promise<void> {
    const { stream, letIn } = publication;
    const status = publication.status();
    this.#places.delete(stream);
    const reason = failure === undefined ? undefined : storageReason(failure);
    // Of a pause the volume's own entry tells the end.
    if (reason !== undefined && failure?.code !== 'volume-paused') this.#troubles.began(`stream:${stream}`, reason);
    if (letIn) {
      this.#history.ended(stream, status, failure);
      this.#params.log.info({ stream, ...status, failure: failure?.code }, 'publishing ended');
      this.emit('end', stream, failure, publication);
    }
    if (!(await this.#judge(stream, status.segments > 0))) {
      this.#history.forget(stream);
      this.#troubles.forget(`stream:${stream}`);
    } else if (!letIn && failure !== undefined && this.#streams.registry.get(stream) !== undefined)
      this.#history.failed(stream, failure);
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

  /** Publishers whose stream is recorded into the volume, or is about to be. */
  #recordedInto(volume: string): Publication[] {
    return [...this.#places.values()].filter((each) => each.isRecording && each.volume === volume);
  }

  async #endRecordings(volume: string, reason: (stream: string) => ReelError): Promise<void> {
    await Promise.all(this.#recordedInto(volume).map((each) => each.stop(reason(each.stream))));
  }
}
