import type { Logger } from 'pino';
import type { VolumeArchive } from '../archive/archive.ts';
import { mendNewest, openHour, recoverStream } from '../archive/recovery.ts';
import { hourPath, hourUs, parseReelPath } from '../archive/reel.ts';
import { isUnreadable } from '../archive/volume-files.ts';

export interface TakeUpOptions {
  readonly log: Logger;
  /** The hour that is to be recorded now. */
  readonly hour: number;
}

/**
 * Recovers the reel that was left open. One of a former hour that the storage does not give back stays as it is, and loses its marker to the next reel:
 * a bad sector in it must not keep its stream from being recorded for ever.
 */
const recover = async ({ files }: VolumeArchive, stream: string, { log, hour }: TakeUpOptions): Promise<void> => {
  const marked = openHour(files, stream);
  try {
    // A marker is left where the former session ended with a failure of the writer.
    await recoverStream(files, stream);
  } catch (error) {
    if (!isUnreadable(error) || marked === undefined || marked < 0 || marked >= hour) throw error;
    log.error(
      { stream, hour: hourPath(marked), err: error },
      'a reel cannot be recovered; its stream goes on without it',
    );
  }
};

/**
 * Brings the newest reels of a stream in order before a session appends to them ("Recover" and "Mend" of docs/archive.md), and shows all there is.
 * The answer is before when no session may begin (µs UTC), as far as that is not in a segment: hours that cannot be read may be full to their end.
 */
export const takeUp = async (archive: VolumeArchive, stream: string, options: TakeUpOptions): Promise<number> => {
  const { log, hour } = options;
  await recover(archive, stream, options);
  archive.showAll(stream);
  const { rebuilt, setAside, unreadable, unlisted } = await mendNewest(archive, stream);
  for (const { path, end, error } of unlisted) {
    // Into the one of now nothing could be recorded, and what is in it must not be overlapped.
    if (end > hour) throw error;
    archive.passOver(path, error);
  }
  for (const reel of rebuilt) log.warn({ ...reel }, 'rebuilt an index whose header was damaged');
  for (const path of setAside) log.error({ stream, path }, 'set aside a damaged index whose reel is gone');
  for (const { path } of rebuilt) {
    const reel = parseReelPath(path);
    if (reel !== undefined) await archive.catalog?.changed(reel);
  }
  const ends = [...unreadable.map((each) => each + 1), ...unlisted.map(({ end }) => end)];
  return Math.max(0, ...ends.map((end) => end * hourUs));
};
