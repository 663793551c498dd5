/** Who publishes: one publication a stream, let in, recorded as the stream's rules want it, and seen off. It owns them from the first to the last. */
import type { EventEmitter } from 'node:events';
import type { Logger } from 'pino';
import type { ReelError } from '../errors.ts';
import type { StandbyMemory } from '../native.ts';
import type { DeclaredStreams } from './declared-streams.ts';
import type { GapCauses } from './gap-causes.ts';
import { Publication } from './publication.ts';
import type { RecordingControl } from './recording-control.ts';
import type { Recordings } from './recordings.ts';
import { recordingStopped, streamBusy } from './refusals.ts';
import type { RecordingSession } from './session.ts';
import type { StreamHistory } from './stream-history.ts';
import { storageReason, type TroubleLog } from './trouble-log.ts';
import type { RecorderEvents } from './types.ts';
import type { VolumesInUse } from './volumes-in-use.ts';

export interface PublishersParams {
  readonly streams: DeclaredStreams;
  readonly control: RecordingControl;
  readonly volumes: VolumesInUse;
  readonly recordings: Recordings;
  readonly gaps: GapCauses;
  readonly troubles: TroubleLog;
  readonly history: StreamHistory;
  /** For what is received and not recorded. */
  readonly memory: StandbyMemory;
  /** Told `start`, `turned` and `end`. */
  readonly events: EventEmitter<RecorderEvents>;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds from any start, by a clock that is never set. */
  readonly elapsed: () => number;
}

export class Publishers {
  readonly #params: PublishersParams;
  /** A stream's place is taken from the moment its publisher is accepted, before the writer has it. */
  readonly #places = new Map<string, Publication>();

  constructor(params: PublishersParams) {
    this.#params = params;
  }

  get all(): Publication[] {
    return [...this.#places.values()];
  }

  get(stream: string): Publication | undefined {
    return this.#places.get(stream);
  }

  /** Those whose stream is recorded into the volume, or is about to be. */
  recordedInto(volume: string): Publication[] {
    return this.all.filter((each) => each.isRecording && each.volume === volume);
  }

  /** `stream-busy` where somebody publishes the stream. */
  mustBeFree(stream: string): void {
    const taken = this.#places.get(stream);
    if (taken !== undefined) throw streamBusy(stream, taken.publisher);
  }

  /** As `Recorder.openSession`. A publisher that is refused leaves the place free, and a stream that only he has declared is forgotten. */
  async letIn(stream: string, publisher: string): Promise<Publication> {
    const { streams, control, history, memory, events, log, now, elapsed } = this.#params;
    const { volume } = streams.settingsFor(stream);
    this.mustBeFree(stream);
    const publication: Publication = new Publication({
      ...{ stream, publisher, volume, now, elapsed, memory },
      keepMs: () => (streams.settingsFor(stream).preRecordSeconds ?? 0) * 1000,
      open: () => this.#record(publication),
      onTrouble: (error) => {
        log.error({ stream, err: error }, 'a recording that was to end could not be made durable');
        history.failed(stream, error);
      },
      onEnd: (_publication, failure) => this.#ended(publication, failure),
    });
    this.#places.set(stream, publication);
    // An order may come while it is being opened.
    for (let record: boolean | undefined; record !== control.wanted(stream).record; ) {
      record = control.wanted(stream).record;
      await publication.follow(record);
      if (publication.failure === undefined) continue;
      await publication.finish().catch(() => {});
      throw publication.failure;
    }
    publication.letIn = true;
    history.began(stream);
    log.info({ stream, volume: publication.volume, publisher }, 'publishing began');
    events.emit('start', stream, publisher, publication.volume);
    return publication;
  }

  /** Brings the stream in line with what is wanted now. Nothing where nobody publishes it, or is being let in. */
  async follow(stream: string): Promise<void> {
    const publication = this.#places.get(stream);
    const { record } = this.#params.control.wanted(stream);
    if (publication?.letIn === true && publication.wanted !== record) await publication.follow(record);
  }

  /** Nothing of a recording is left in the writer; its publisher may stay. */
  recordingEnded({ stream, volume }: RecordingSession): void {
    this.#params.history.left(stream);
    if (this.#places.get(stream)?.wanted === false) this.#params.events.emit('turned', stream, false, volume);
  }

  /** Lets all go, with everything durable. */
  async close(): Promise<void> {
    await Promise.all(this.all.map((each) => each.stop(recordingStopped(each.stream))));
  }

  /** Begins a recording of the publication. `volume-state` where its stream's volume is not open, `volume-paused` where that waits. */
  async #record(publication: Publication): Promise<RecordingSession> {
    const { streams, volumes, recordings, gaps, troubles, events } = this.#params;
    const { stream, publisher } = publication;
    const settings = streams.settingsFor(stream);
    const volume = volumes.recordable(settings.volume, stream);
    publication.volume = settings.volume;
    await streams.try(settings);
    // It begins with what is kept of the publication, where anything is.
    const gapReasons = (fromUs: number): number =>
      gaps.flags(publication, fromUs, publication.kept().sinceUs ?? undefined);
    const session = await recordings.open({ volume, settings, publisher, gapReasons });
    troubles.ended(`stream:${stream}`);
    if (publication.letIn) events.emit('turned', stream, true, settings.volume);
    return session;
  }

  /** A publisher has gone, or was not let in. */
  async #ended(publication: Publication, failure: ReelError | undefined): Promise<void> {
    const { streams, troubles, history, events, log } = this.#params;
    const { stream, letIn } = publication;
    const status = publication.status();
    this.#places.delete(stream);
    const reason = failure === undefined ? undefined : storageReason(failure);
    // Of a pause the volume's own entry tells the end.
    if (reason !== undefined && failure?.code !== 'volume-paused')
      troubles.began(`stream:${stream}`, reason, publication.failedFrom);
    if (letIn) {
      history.ended(stream, status, failure);
      log.info({ stream, ...status, failure: failure?.code }, 'publishing ended');
      events.emit('end', stream, failure, publication);
    }
    if (!(await this.#stays(stream, status.segments > 0))) {
      history.forget(stream);
      troubles.forget(`stream:${stream}`);
    } else if (!letIn && failure !== undefined && streams.registry.get(stream) !== undefined)
      history.failed(stream, failure);
  }

  /** False where the stream went with its publisher. A state directory that cannot be written keeps it: no reason to fail a recording. */
  async #stays(stream: string, recorded: boolean): Promise<boolean> {
    try {
      return await this.#params.streams.judge(stream, recorded);
    } catch (error) {
      this.#params.log.error({ stream, err: error }, 'a stream of which nothing was recorded could not be forgotten');
      return true;
    }
  }
}
