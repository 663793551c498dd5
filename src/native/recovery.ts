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
  /** Records that hold and whose bytes the reel does not have: acknowledged once, gone now. */
  readonly lost: number;
  /** Bytes that stay in the reel and belong to no segment. */
  readonly leftOver: number;
}

/** Bytes of an index record, and of the header before them. */
export const indexSlotBytes = 96;

/** An index as it stands in its file, without the records that do not hold. */
export interface CompactIndex extends Pick<ReelIndex, 'hourUs' | 'evidence'> {
  /** End to end. */
  readonly records: Buffer;
}

interface Addon {
  compactIndex(bytes: Uint8Array, reelBytes: number): Pick<ReelIndex, 'hourUs' | 'evidence'> & { count: number };
  decodeIndex(bytes: Uint8Array, reelBytes: number): ReelIndex;
  recoverReel(dirFd: number, path: string, closed: boolean): Promise<RecoveryReport & { errno: number; what: string }>;
}
const addon = loaded as Addon;

/** Reads an index. A record counts only if its CRC holds, it lies behind the one before, and its bytes are below `reelBytes`. */
export const decodeIndex = (bytes: Uint8Array, reelBytes: number = Number.MAX_SAFE_INTEGER): ReelIndex =>
  addon.decodeIndex(bytes, reelBytes);

/** As `decodeIndex`, without an object a record. Takes `bytes` over: the records are moved together in place. */
export const compactIndex = (bytes: Buffer, reelBytes: number): CompactIndex => {
  const { count, ...header } = addon.compactIndex(bytes, reelBytes);
  return { ...header, records: bytes.subarray(indexSlotBytes, (count + 1) * indexSlotBytes) };
};

/**
 * Does I1 for the reel at `path` in the volume: drops records that do not hold, indexes whole segments that have none, cuts the torn tail. `closed`:
 * its writer closed it, so no tail is torn and nothing is cut but zeros. May be called at any time, also again after a crash in the middle.
 * `stream-busy` while a writer has the reel, `not-found` without a reel.
 */
export const recoverReel = async (
  dirFd: number,
  path: string,
  { closed }: { readonly closed: boolean },
): Promise<RecoveryReport> => {
  const { errno, what, ...report } = await addon.recoverReel(dirFd, path, closed);
  if (errno !== 0) throw errnoError(errno, `to ${what}`);
  return report;
};
