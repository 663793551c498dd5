/** What is measured of a recorder while it runs. Nothing is asked of a disk. */
import type { StandbyMemory, StreamCounters } from '../native.ts';
import type { DeclaredStreams } from './declared-streams.ts';
import type { Publishers } from './publishers.ts';
import type { RecordingControl } from './recording-control.ts';
import type { Wanted } from './recording-rules.ts';
import type { Recordings } from './recordings.ts';
import type { SlowStorage } from './slow-storage.ts';
import type { RecordingLag } from './types.ts';

export interface MeasuresParams {
  readonly streams: DeclaredStreams;
  readonly control: RecordingControl;
  readonly publishers: Publishers;
  readonly recordings: Recordings;
  readonly slow: SlowStorage;
  readonly standby: StandbyMemory;
}

export class Measures {
  readonly #params: MeasuresParams;

  constructor(params: MeasuresParams) {
    this.#params = params;
  }

  /** The streams that somebody publishes now, recorded or not. */
  get published(): string[] {
    return this.#params.publishers.all.map(({ stream }) => stream);
  }

  /** Of the streams that are published, recorded or not. */
  get counters(): ReadonlyMap<string, StreamCounters> {
    return new Map(this.#params.publishers.all.map((each) => [each.stream, each.status().counters]));
  }

  /** How far each recording that runs is behind what came in, by stream. */
  get lags(): ReadonlyMap<string, RecordingLag> {
    return this.#params.recordings.lags();
  }

  /** Bytes that were dropped since the start because the storage was too slow, by stream. */
  get droppedBytes(): ReadonlyMap<string, number> {
    return this.#params.slow.dropped;
  }

  /** Memory for what is not recorded, of all streams; bytes. */
  get standbyBytes(): number {
    return this.#params.standby.used;
  }

  /** Streams that are not to be recorded now, and what says so. */
  get notRecorded(): { readonly stream: string; readonly by: Wanted['by'] }[] {
    const { streams, control } = this.#params;
    return streams.registry.list().flatMap(({ name }) => {
      const { record, by } = control.wanted(name);
      return record ? [] : [{ stream: name, by }];
    });
  }
}
