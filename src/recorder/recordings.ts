/** The recordings that run: each is a session of the native writer, which this owns. What the writer tells goes to the recording it is of. */
import type { Logger } from 'pino';
import type { VolumeArchive } from '../archive/archive.ts';
import type { EvidenceSigner } from '../archive/evidence/signer.ts';
import { segmentOf } from '../archive/index-file.ts';
import { hourOf } from '../archive/reel.ts';
import { endUs, type Segment } from '../archive/segment.ts';
import { NativeWriter, type StreamOptions, type WriterEvent } from '../native.ts';
import type { Recordable } from './attached-volumes.ts';
import { RecordingSession } from './session.ts';
import type { StreamSettings } from './stream-registry.ts';
import { takeUp } from './take-up.ts';
import type { RecorderParams, RecordingLag } from './types.ts';

export interface RecordingsParams {
  readonly writer: RecorderParams['writer'];
  readonly signer: EvidenceSigner | undefined;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds from any start, by a clock that is never set. */
  readonly elapsed: () => number;
  /** Of a volume in use. */
  readonly archive: (volume: string) => VolumeArchive | undefined;
  readonly onDurable: (session: RecordingSession, segments: readonly Segment[], lagsMs: readonly number[]) => void;
  /** Nothing of it is left in the writer. */
  readonly onEnd: (session: RecordingSession) => void;
}

export interface RecordingRequest {
  readonly volume: Recordable;
  readonly settings: StreamSettings;
  readonly publisher: string;
  /** Why nothing is recorded from this time (µs) to the first segment; flags of its record. */
  readonly gapReasons: (fromUs: number) => number;
}

export class Recordings {
  readonly writer: NativeWriter;
  readonly #params: RecordingsParams;
  readonly #sessions = new Map<number, RecordingSession>();

  constructor(params: RecordingsParams) {
    this.#params = params;
    this.writer = new NativeWriter(params.writer, (events) => this.#onEvents(events));
  }

  /** Finishes what runs. Idempotent. */
  close(): Promise<void> {
    return this.writer.close();
  }

  /** Brings the stream's newest reels in order and begins behind them. Throws `stream-busy`, and what the storage says. */
  async open({ volume, settings, publisher, gapReasons }: RecordingRequest): Promise<RecordingSession> {
    const { name, segmentMs, evidence } = settings;
    const { signer, now, elapsed } = this.#params;
    const { archive, writerId } = volume;
    const log = this.#params.log.child({ volume: settings.volume });
    const notBeforeUs = await takeUp(archive, name, { log, hour: hourOf(now() * 1000) });
    await archive.catalog?.began(name);
    await signer?.begin(archive, name, evidence);
    const newest = await archive.newest(name);
    archive.showUpTo(name, newest?.startUs ?? -1);
    const lastEndUs = Math.max(notBeforeUs, newest === undefined ? 0 : endUs(newest));
    const id = this.#openStream(volume, {
      ...{ volume: writerId, name, segmentMs, evidence },
      lastEndUs: lastEndUs === 0 ? null : lastEndUs,
      gapReasons: lastEndUs === 0 ? 0 : gapReasons(lastEndUs),
    });
    const session: RecordingSession = new RecordingSession({
      ...{ writer: this.writer, id, stream: name, volume: settings.volume, publisher, now, elapsed },
      onEnd: (_failure, clean) => this.#ended(session, clean),
    });
    this.#sessions.set(id, session);
    return session;
  }

  /** How far each is behind what came in, by stream. */
  lags(): ReadonlyMap<string, RecordingLag> {
    return new Map(
      [...this.#sessions.values()].map((session) => {
        const { durableLagMs, heldBack, queued } = session.status();
        return [session.stream, { durableLagMs, heldBack, queued }];
      }),
    );
  }

  /** Why time may be missing before the next segment of each. */
  noteGap(reasons: number): void {
    for (const id of this.#sessions.keys()) this.writer.noteGap(id, reasons);
  }

  #openStream({ archive }: Recordable, options: StreamOptions): number {
    try {
      return this.writer.openStream(options);
    } catch (error) {
      void archive.catalog?.ended(options.name, true); // nothing was written
      throw error;
    }
  }

  async #ended(session: RecordingSession, clean: boolean): Promise<void> {
    const { stream, volume, id } = session;
    const archive = this.#params.archive(volume);
    // The next session may append to the same reel: it comes after the signature.
    if (archive !== undefined) await this.#params.signer?.ended(archive, stream, clean);
    this.#sessions.delete(id);
    // After a failure of the storage the index may end with records that are not durable: they stay hidden until the next recovery.
    if (clean) archive?.showAll(stream);
    void archive?.catalog?.ended(stream, clean);
    this.#params.onEnd(session);
  }

  #onEvents(events: readonly WriterEvent[]): void {
    for (const event of events) {
      const session = this.#sessions.get(event.stream);
      if (session === undefined) continue;
      if (event.type === 'durable')
        this.#durable(
          session,
          event.records.map((record) => segmentOf(record, hourOf(record.startUs))),
          event.lagsMs,
        );
      else if (event.type === 'drain') session.drained();
      else if (event.type === 'error') session.failed(event.error);
    }
  }

  #durable(session: RecordingSession, segments: readonly Segment[], lagsMs: readonly number[]): void {
    const last = segments.at(-1);
    if (last === undefined) return;
    session.durable(segments);
    const archive = this.#params.archive(session.volume);
    archive?.showUpTo(session.stream, last.startUs);
    for (const { hour } of segments) archive?.catalog?.durable(session.stream, hour);
    if (archive !== undefined) this.#params.signer?.durable(archive, session.stream, last.hour);
    this.#params.onDurable(session, segments, lagsMs);
  }
}
