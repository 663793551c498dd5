/** Streams as playback asks for them, whether they are declared or only recorded. */
import type { VolumeArchive } from '../archive/archive.ts';
import type { AttachedVolumes } from './attached-volumes.ts';
import { type DeclaredStreams, unknownStream } from './declared-streams.ts';
import type { Publishers } from './publishers.ts';
import type { StreamHistory } from './stream-history.ts';
import type { NumberAnchor } from './stream-registry.ts';

export interface RecordedStreamsParams {
  readonly streams: DeclaredStreams;
  readonly attached: AttachedVolumes;
  readonly publishers: Publishers;
  readonly history: StreamHistory;
}

export class RecordedStreams {
  readonly #params: RecordedStreamsParams;

  constructor(params: RecordedStreamsParams) {
    this.#params = params;
  }

  /** The archive that holds the stream. `not-found` for an unknown stream, `volume-state` while its volume is not open. */
  archive(stream: string): VolumeArchive {
    const { streams, attached } = this.#params;
    const settings = streams.registry.get(stream);
    if (settings !== undefined) return attached.get(settings.volume).archive;
    const archive = attached.holderOf(stream);
    if (archive === undefined) throw unknownStream(stream);
    return archive;
  }

  segmentMs(stream: string): number {
    return this.#params.streams.segmentMs(stream);
  }

  isRecording(stream: string): boolean {
    return this.#params.publishers.get(stream)?.isRecording === true;
  }

  idleMs(stream: string): number {
    return this.#params.history.idleMs(stream);
  }

  anchor(stream: string): NumberAnchor | undefined {
    return this.#params.streams.registry.anchor(stream);
  }

  setAnchor(stream: string, anchor: NumberAnchor): Promise<void> {
    return this.#params.streams.registry.setAnchor(stream, anchor);
  }
}
