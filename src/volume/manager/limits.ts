/** How much room there must be for recordings to go on. */
import { defaultSettings } from '../../config/settings.ts';

export interface Limits {
  /** Bytes that must stay free below a sparse container. */
  readonly hostReserve: number;
  /** Bytes that must stay free in a volume that is recorded into; a small one keeps less. */
  readonly volumeReserve: number;
  /** Bytes a second that are recorded into the volume, by a measure that a short silence does not make small. */
  readonly recordingRate: (volume: string) => number;
}

const mib = 1024 * 1024;

export const limitsOf = ({ hostReserve, volumeReserve, recordingRate }: Partial<Limits>): Limits => ({
  hostReserve: hostReserve ?? defaultSettings.hostReserveMiB * mib,
  volumeReserve: volumeReserve ?? defaultSettings.volumeReserveMiB * mib,
  recordingRate: recordingRate ?? (() => 0),
});

/** A volume's reserve is never more than this part of it, whatever is asked for: small volumes are to be of use, too. */
export const largestPart = 32;
/** Until a pause has ended all recordings: a look, the way to the recorder, a commit. */
const pauseSeconds = 4;

/** What stays free in a volume of `capacity` bytes: room for what is on its way, for its indexes, for the catalog and for the journal. */
export const volumeReserve = (name: string, capacity: number, limits: Limits): number =>
  Math.min(
    Math.max(limits.volumeReserve, limits.recordingRate(name) * pauseSeconds),
    Math.floor(capacity / largestPart),
  );
