/** What playback needs to know of streams; the recorder answers it. */
import type { VolumeArchive } from '../archive/archive.ts';
import type { AnchorStore } from './numbering.ts';

export interface PlaybackSource extends AnchorStore {
  /** The archive that holds the stream. `not-found` for an unknown stream, `volume-state` while its volume is not open. */
  archive(stream: string): VolumeArchive;
  /** What the stream's segments aim at, in ms. */
  segmentMs(stream: string): number;
  isRecording(stream: string): boolean;
  /**
   * For a stream without a publisher: ms for which nobody has published, by a clock that no correction of the wall clock moves. At most
   * the age of the daemon, which does not know who published before it.
   */
  idleMs(stream: string): number;
}
