/** What is told of each stream: its settings, who publishes it, whether it is recorded, and what says so. */
import type { DeclaredStreams } from './declared-streams.ts';
import type { Publishers } from './publishers.ts';
import type { RecordingControl } from './recording-control.ts';
import type { StreamHistory } from './stream-history.ts';
import type { StreamSettings } from './stream-registry.ts';
import type { StreamStatus, StreamView } from './types.ts';

export interface StreamViewsParams {
  readonly streams: DeclaredStreams;
  readonly control: RecordingControl;
  readonly publishers: Publishers;
  readonly history: StreamHistory;
}

export class StreamViews {
  readonly #params: StreamViewsParams;

  constructor(params: StreamViewsParams) {
    this.#params = params;
  }

  list(): StreamView[] {
    return this.#params.streams.registry.list().map((settings) => this.of(settings));
  }

  /** `not-found` for a stream that is not declared. */
  get(name: string): StreamView {
    return this.of(this.#params.streams.get(name));
  }

  of({ name, volume, segmentMs, evidence, preRecordSeconds = 0 }: StreamSettings): StreamView {
    const { control, publishers } = this.#params;
    const publication = publishers.get(name);
    const { schedule } = control.rules(name);
    return {
      ...{ name, volume, segmentMs, evidence, preRecordSeconds },
      publishing: publication !== undefined,
      recording: publication?.isRecording === true,
      wanted: control.wanted(name),
      order: control.order(name),
      schedule: schedule === null ? null : { timeZone: schedule.timeZone, windows: schedule.windows },
    };
  }

  /** As `get`, with the session that runs or was the last. */
  status(name: string): StreamStatus {
    const { publishers, history } = this.#params;
    const view = this.get(name);
    const publication = publishers.get(name);
    const session = publication?.status() ?? history.session(name);
    const { bytes = 0, sinceUs = null } = publication?.kept() ?? {};
    const kept = { bytes, since: sinceUs === null ? null : Math.round(sinceUs / 1000) };
    return { ...view, kept, session, failure: history.failure(name) };
  }
}
