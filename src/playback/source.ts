/** What playback needs to know of streams; the recorder answers it. */
import type { VolumeArchive } from '../archive/archive.ts';
import type { AnchorStore } from './numbering.ts';

export interface PlaybackSource extends AnchorStore {
  /** The archive that holds the stream. `not-found` for an unknown stream, `volume-state` while its volume is not open. */
  archive(stream: string): VolumeArchive;
  /** What the stream's segments aim at, in ms. */
  segmentMs(stream: string): number;
  isRecording(stream: string): boolean;
}
