/**
 * The recorder: which streams there are, which volumes are attached, and who is publishing. It owns the recordings and the archives
 * of the attached volumes; the descriptors of the volumes stay with whoever attaches them. All that is outside asks here; the parts do the work.
 */
import { EventEmitter } from 'node:events';
import type { VolumeArchive } from '../archive/archive.ts';
import { gapFlags } from '../archive/gap-reasons.ts';
import type { Gap } from '../archive/gaps.ts';
import type { RecoveredReel } from '../archive/recovery.ts';
import type { ReelError } from '../errors.ts';
import type { RecoveryReport } from '../native.ts';
import type { AttachedVolume } from './attached-volumes.ts';
import type { Measures } from './measures.ts';
import type { Publication } from './publication.ts';
import type { RecordedStreams } from './recorded-streams.ts';
import { type RecorderParts, recorderParts } from './recorder-parts.ts';
import type { OrderRequest } from './recording-control.ts';
import type { Wanted } from './recording-rules.ts';
import type { Schedule } from './schedule.ts';
import type { StreamSettings } from './stream-registry.ts';
import type { RecorderEvents, RecorderParams, StreamStatus, StreamView } from './types.ts';

export class Recorder extends EventEmitter<RecorderEvents> {
  /** For playback. */
  readonly recorded: RecordedStreams;
  /** For metrics. */
  readonly measures: Measures;
  readonly #params: RecorderParams;
  readonly #parts: RecorderParts;
  #clock: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  constructor(params: RecorderParams) {
    super();
    this.#params = params;
    this.#parts = recorderParts(params, this);
    this.recorded = this.#parts.recorded;
    this.measures = this.#parts.measures;
  }

  async start(): Promise<void> {
    await this.#parts.streams.registry.load();
    this.#clock = setInterval(() => this.lookAtClock(), 1000).unref();
  }

  /** Begins and ends recordings that time has come for, and lets publishers go on that the disk has held back for too long. Called once a second: by the wall clock of that moment, whatever was done to it. */
  lookAtClock(): void {
    for (const publication of this.#parts.publishers.all) {
      void this.#parts.publishers.follow(publication.stream);
      this.#parts.slow.look(publication);
    }
  }

  /** Drains every volume, then ends the writer. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      clearInterval(this.#clock);
      await this.#parts.volumes.close();
      await this.#parts.publishers.close();
      await this.#parts.recordings.close();
    })();
    return this.#closed;
  }

  /** The volumes in use. */
  get attached(): string[] {
    return this.#parts.attached.names;
  }

  /** How the native writer writes on this machine. */
  get backend(): string {
    return this.#parts.recordings.writer.backend;
  }

  /**
   * Takes an open volume into use: recovers the reels that were open, then accepts publishers. Does nothing for one in use. A stream
   * that cannot be recovered is logged and is the only one that is refused; each new publisher of it tries again. The jail must stay open until `detachVolume` or `loseVolume` has resolved.
   */
  attachVolume(volume: AttachedVolume): Promise<RecoveredReel[]> {
    return this.#parts.volumes.attach(volume);
  }

  /** Streams that are being recorded into the volume now. */
  recordings(volume: string): string[] {
    return this.#parts.publishers.recordedInto(volume).map(({ stream }) => stream);
  }

  /**
   * Lets go of a volume: with `drain` its recordings end first, with everything durable; without, `volume-busy` names them. Reads from it
   * end. Does nothing for a volume not in use.
   */
  detachVolume(name: string, options: { readonly drain: boolean }): Promise<void> {
    return this.#parts.volumes.detach(name, options);
  }

  /**
   * With a reason: recordings into the volume end with it, with everything durable, and new publishers get it; reading goes on. Without:
   * publishers are taken again.
   */
  pauseVolume(name: string, reason: ReelError | undefined): Promise<void> {
    return this.#parts.volumes.pause(name, reason);
  }

  /** The volume has failed: its recordings end with the error, and what can still be made durable is. */
  loseVolume(name: string, error: ReelError): Promise<void> {
    return this.#parts.volumes.lose(name, error);
  }

  /**
   * Lets a publisher in. `stream-busy` where there is one. Where it is to be recorded: `volume-state` where the stream's volume is not open,
   * `volume-paused` where it waits. Declares a new stream.
   */
  openSession(name: string, publisher: string): Promise<Publication> {
    return this.#parts.publishers.letIn(name, publisher);
  }

  async list(): Promise<StreamView[]> {
    return this.#parts.views.list();
  }

  async get(name: string): Promise<StreamView> {
    return this.#parts.views.get(name);
  }

  status(name: string): StreamStatus {
    return this.#parts.views.status(name);
  }

  /** Records the stream or does not, whoever publishes it; resolves when that is on disk. `not-found` for one that is not declared. */
  async order(name: string, request: OrderRequest): Promise<StreamView> {
    await this.#parts.control.setOrder(name, request);
    this.#params.log.info({ stream: name, ...request }, 'recording was ordered');
    this.emit('ordered', name, this.#parts.control.order(name));
    return this.get(name);
  }

  /** What kept, or keeps, all streams from being recorded. Unix milliseconds. */
  noteTrouble(reason: 'clock' | 'stopped', from: number, to: number): void {
    this.#parts.troubles.was('service', reason, from, to);
    this.#parts.recordings.noteGap(gapFlags([reason]));
  }

  /** Declares or changes a stream; a change holds from the next recording on, what is kept in memory from now on. */
  async put(name: string, change: Partial<Omit<StreamSettings, 'name'>>): Promise<StreamView> {
    const before = this.#parts.streams.settingsFor(name);
    const settings = { ...before, ...change, name };
    await this.#parts.streams.put(settings);
    if (settings.preRecordSeconds !== before.preRecordSeconds) this.#parts.publishers.get(name)?.keepAnew();
    return this.#parts.views.of(settings);
  }

  /** Records the stream in windows of the week (null: always) where no order says otherwise. As `order`. */
  async schedule(name: string, schedule: Schedule | null): Promise<StreamView> {
    await this.#parts.control.setSchedule(name, schedule);
    this.#params.log.info({ stream: name, schedule }, 'a schedule was set');
    this.emit('scheduled', name, schedule);
    return this.get(name);
  }

  /** Where nothing was recorded within `[fromUs, toUs)`, and why; the last one may not have ended. As `archive`. */
  async gaps(name: string, fromUs: number, toUs: number): Promise<Gap[]> {
    const { volume } = this.#parts.streams.settingsFor(name);
    const place = { stream: name, volume, isRecording: this.isRecording(name) };
    return this.#parts.gaps.list(this.archive(name), place, fromUs, toUs);
  }

  /** Whether the stream is to be recorded now, and what says so. */
  wanted(name: string): Wanted {
    return this.#parts.control.wanted(name);
  }

  /** What the stream would record with, or does: its settings, or the defaults. `invalid-argument` for a name no stream can have. */
  settingsFor(name: string): StreamSettings {
    return this.#parts.streams.settingsFor(name);
  }

  /** Whether the stream has recordings on the volume; `undefined` while that is not in use. */
  hasRecordings(name: string, volume: string): boolean | undefined {
    return this.#parts.attached.archive(volume)?.holds(name);
  }

  /** The archive of a volume, while that is in use. */
  volumeArchive(volume: string): VolumeArchive | undefined {
    return this.#parts.attached.archive(volume);
  }

  /** Forgets the settings of a stream; recordings stay. */
  async delete(name: string): Promise<void> {
    this.#parts.streams.get(name);
    this.#parts.publishers.mustBeFree(name);
    this.#parts.history.forget(name);
    this.#parts.troubles.forget(`stream:${name}`);
    await this.#parts.streams.delete(name);
  }

  /** The archive of an open volume; `volume-state` for another. */
  openArchive(volume: string): VolumeArchive {
    return this.#parts.attached.get(volume).archive;
  }

  /**
   * Makes index and reel of one hour agree again, as a start after a crash would (I1). `stream-busy` while it is being written, `not-found` without a reel.
   */
  recoverReel(volume: string, stream: string, hour: number): Promise<RecoveryReport> {
    return this.#parts.attached.recoverReel(volume, stream, hour);
  }

  /** The archive that holds the stream. As `RecordedStreams.archive`. */
  archive(name: string): VolumeArchive {
    return this.recorded.archive(name);
  }

  /** Being recorded, or about to be, or what was is being made durable. */
  isRecording(name: string): boolean {
    return this.recorded.isRecording(name);
  }
}
