/**
 * Recovery when a volume is attached. Its cost depends on the reels that were open, not on the archive: the writer keeps a marker for
 * each reel it has open, and only marked streams are looked at.
 */
import { closeSync, constants, readFileSync } from 'node:fs';
import path from 'node:path';
import { type RecoveryReport, recoverReel } from '../native.ts';
import { isDamage, type VolumeArchive } from './archive.ts';
import { damagedIndexPath, hourOf, indexPath, markerDirectory, markerPath, parseReelPath, reelPath } from './reel.ts';
import { hourBehind, reelHours } from './reel-tree.ts';
import { isUnreadable, lister, type VolumeFiles, whenMissing } from './volume-files.ts';

export interface RecoveredReel {
  readonly stream: string;
  readonly path: string;
  /** Segments the index holds now. */
  readonly records: number;
  /** Whole segments found beyond the index and added to it. */
  readonly added: number;
  /** Bytes of the torn tail that were cut. */
  readonly cutBytes: number;
  /** Acknowledged segments whose bytes the reel does not have any more. */
  readonly lost: number;
}

const lastHour = hourOf(Date.UTC(9999, 11, 31, 23) * 1000);

/** What those who asked for a recovery are told of it. */
const told = (stream: string, path: string, { records, added, cutBytes, lost }: RecoveryReport): RecoveredReel => ({
  stream,
  path,
  records,
  added,
  cutBytes,
  lost,
});

const names = (files: VolumeFiles, path: string): string[] =>
  whenMissing(() => files.readdir(path), []).map(({ name }) => name);

const readMarker = (files: VolumeFiles, stream: string): string => {
  const fd = whenMissing(() => files.open(markerPath(stream), constants.O_RDONLY), -1);
  if (fd < 0) return '';
  try {
    return readFileSync(fd, 'utf8').trim();
  } finally {
    closeSync(fd);
  }
};

/** The reel a marker means. One that was torn while it was written still says whose: the stream's newest reel is meant. */
const markedReel = (files: VolumeFiles, stream: string): number | undefined => {
  const named = parseReelPath(readMarker(files, stream));
  if (named?.stream === stream) return named.hour;
  const [newest] = reelHours((path) => names(files, path), stream, 0, lastHour, true);
  return newest;
};

const exists = (files: VolumeFiles, path: string): boolean => {
  const fd = whenMissing(() => files.open(path, constants.O_RDONLY), -1);
  if (fd >= 0) closeSync(fd);
  return fd >= 0;
};

/** The hour of the reel that a writer has open, or that waits for its recovery. -1 where it cannot be told which. `undefined`: none. */
export const openHour = (files: VolumeFiles, stream: string): number | undefined =>
  exists(files, markerPath(stream)) ? (whenReadable(() => markedReel(files, stream)) ?? -1) : undefined;

/** Makes the reel of a marked stream whole again (I1) and takes the marker away. Without a marker it does nothing. */
export const recoverStream = async (files: VolumeFiles, stream: string): Promise<RecoveredReel | undefined> => {
  if (!exists(files, markerPath(stream))) return undefined;
  const hour = markedReel(files, stream);
  const path = hour === undefined ? undefined : reelPath(stream, hour);
  const found =
    path !== undefined && exists(files, path) ? await recoverReel(files.fd, path, { closed: false }) : undefined;
  // Last: a crash before this line leaves the marker, and the next attach does the same again.
  files.unlink(markerPath(stream));
  return path === undefined || found === undefined ? undefined : told(stream, path, found);
};

const whenReadable = (look: () => number | undefined): number | undefined => {
  try {
    return look();
  } catch {
    return undefined; // what is wrong is in the error of the recovery
  }
};

/** A marked stream that could not be recovered. Its marker stays. */
export interface UnrecoveredStream {
  readonly stream: string;
  /** The reel that may not be whole, where its marker could be read. */
  readonly hour: number | undefined;
  readonly error: unknown;
}

/** Recovers every marked stream of a volume. One that cannot be is reported, and the others go on. */
export const recoverVolume = async (
  files: VolumeFiles,
): Promise<{ recovered: RecoveredReel[]; failed: UnrecoveredStream[] }> => {
  const recovered: RecoveredReel[] = [];
  const failed: UnrecoveredStream[] = [];
  for (const stream of names(files, markerDirectory)) {
    try {
      const reel = await recoverStream(files, stream);
      if (reel !== undefined) recovered.push(reel);
    } catch (error) {
      failed.push({ stream, hour: whenReadable(() => markedReel(files, stream)), error });
    }
  }
  return { recovered, failed };
};

export interface MendedStream {
  /** Their indexes were rebuilt. */
  readonly rebuilt: RecoveredReel[];
  /** Indexes that were renamed: new paths. */
  readonly setAside: string[];
  /** Hours whose index the storage does not give back; they stay as they are. */
  readonly unreadable: number[];
  /** Directories that it does not give back either, and why. */
  readonly unlisted: UnlistedDirectory[];
}

export interface UnlistedDirectory {
  readonly path: string;
  /** The first hour that nothing in it can be of. */
  readonly end: number;
  readonly error: unknown;
}

/** Nothing can be rebuilt from an index alone, and nothing is thrown away: it is renamed, durably. */
const setAside = async (files: VolumeFiles, stream: string, hour: number): Promise<string> => {
  const to = damagedIndexPath(stream, hour);
  files.rename(indexPath(stream, hour), to);
  await files.syncDirectory(path.posix.dirname(to));
  return to;
};

/**
 * Makes the newest indexes of a stream readable before a writer goes on from them: from the newest hour back to the first with segments,
 * an index without a valid header is rebuilt from its reel, or set aside where the reel is gone. One that the storage does not give back, or a whole
 * directory, is passed over, and nothing is done to it. The stream must have no writer.
 */
export const mendNewest = async (archive: VolumeArchive, stream: string): Promise<MendedStream> => {
  const mended: MendedStream = { rebuilt: [], setAside: [], unreadable: [], unlisted: [] };
  const { files } = archive;
  const list = lister(files, (path, error) => mended.unlisted.push({ path, end: hourBehind(path), error }));
  for (const hour of reelHours(list, stream, 0, lastHour, true)) {
    try {
      if ((await archive.reel(stream, hour)).length > 0) break;
    } catch (error) {
      if (isUnreadable(error)) {
        mended.unreadable.push(hour);
        continue;
      }
      if (!isDamage(error)) throw error;
      const reel = reelPath(stream, hour);
      if (!exists(files, reel)) {
        mended.setAside.push(await setAside(files, stream, hour));
        continue;
      }
      // Not marked, or it would be in order: its writer closed it.
      const found = await recoverReel(files.fd, reel, { closed: true });
      mended.rebuilt.push(told(stream, reel, found));
      if (found.records > 0) break;
    }
  }
  return mended;
};
