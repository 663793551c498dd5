/** Indexes of reels, and what brings a reel and its index in accord after a crash. */
import { addon as loaded } from './addon.ts';
import { errnoError, type SegmentRecord } from './segment-writer.ts';

export interface ReelIndex {
  /** Start of the reel's hour, µs UTC; null when the header does not hold. */
  readonly hourUs: number | null;
  /** Records may carry a SHA-256; one that does has it in `sha256`. A reel of several sessions may hold both kinds. */
  readonly evidence: boolean;
  /** The records that hold (I1), by offset. */
  readonly records: readonly SegmentRecord[];
  /** How many records, or parts of one, do not hold. */
  readonly bad: number;
}

export interface RecoveryReport {
  /** In the index now. */
  readonly records: number;
  /** Bytes of the reel that they name. */
  readonly indexed: number;
  /** Bytes taken off the reel's end. */
  readonly cutBytes: number;
  /** Records for segments that had none. */
  readonly added: number;
}

/** An index without what playback never asks for: `columns` holds `segmentColumns` numbers of each record that holds. */
export interface SegmentColumns {
  readonly hourUs: number | null;
  readonly evidence: boolean;
  /** Of each: sequence, offset, length, flags, startUs, duration, crc32c. */
  readonly columns: Float64Array;
}
export const segmentColumns = 7;

interface Addon {
  decodeSegments(bytes: Uint8Array, reelBytes: number): SegmentColumns;
  decodeIndex(bytes: Uint8Array, reelBytes: number): ReelIndex;
  recoverReel(dirFd: number, path: string): Promise<RecoveryReport & { errno: number; what: string }>;
}
const addon = loaded as Addon;

/** Reads an index. A record counts only if its CRC holds, it lies behind the one before, and its bytes are below `reelBytes`. */
export const decodeIndex = (bytes: Uint8Array, reelBytes: number = Number.MAX_SAFE_INTEGER): ReelIndex =>
  addon.decodeIndex(bytes, reelBytes);

/** As `decodeIndex`, at a tenth of its cost. */
export const decodeSegmentColumns = (bytes: Uint8Array, reelBytes: number): SegmentColumns =>
  addon.decodeSegments(bytes, reelBytes);

/**
 * Does I1 for the reel at `path` in the volume: drops records that do not hold, indexes whole segments that have none, cuts the torn tail.
 * May be called at any time, also again after a crash in the middle. `stream-busy` while a writer has the reel, `not-found` without a reel.
 */
export const recoverReel = async (dirFd: number, path: string): Promise<RecoveryReport> => {
  const { errno, what, ...report } = await addon.recoverReel(dirFd, path);
  if (errno !== 0) throw errnoError(errno, `to ${what}`);
  return report;
};
