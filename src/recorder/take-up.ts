import type { Logger } from 'pino';
import type { VolumeArchive } from '../archive/archive.ts';
import { mendNewest, recoverStream } from '../archive/recovery.ts';
import { parseReelPath } from '../archive/reel.ts';

/** Brings the newest reels of a stream in order before a session appends to them ("Recover" and "Mend" of docs/archive.md), and shows all there is. */
export const takeUp = async (archive: VolumeArchive, stream: string, log: Logger): Promise<void> => {
  // A marker is left where the former session ended with a failure of the writer.
  await recoverStream(archive.files, stream);
  archive.showAll(stream);
  const { rebuilt, setAside } = await mendNewest(archive, stream);
  for (const reel of rebuilt) log.warn({ ...reel }, 'rebuilt an index whose header was damaged');
  for (const path of setAside) log.error({ stream, path }, 'set aside a damaged index whose reel is gone');
  for (const { path } of rebuilt) {
    const reel = parseReelPath(path);
    if (reel !== undefined) await archive.catalog?.changed(reel);
  }
};
