/**
 * A careful writer out of `node:fs/promises` as a contender of the writer bench: each segment goes into a new file, is synced, and only
 * then gets its name. Segments are of equal length: it finds no keyframes. It also spares the sync of the directory that would make the name
 * durable, and all sums.
 */
import { mkdir, open, rename } from 'node:fs/promises';
import path from 'node:path';
import { contend } from './writer-load.ts';

await contend(async ({ root, streams, chunks: count, chunksBefore, chunkBytes, segmentMs, collectBytes }, chunks) => {
  const chunksASegment = Math.ceil((segmentMs * 500) / chunkBytes);
  const chunksAWrite = Math.max(1, Math.floor(collectBytes / chunkBytes));

  const segment = async (directory: string, from: number, to: number): Promise<void> => {
    const unnamed = path.join(directory, `${from}.tmp`);
    const file = await open(unnamed, 'wx');
    for (let at = from; at < to; at += chunksAWrite) {
      const some = Array.from(
        { length: Math.min(chunksAWrite, to - at) },
        (_, index) => chunks[(at + index) % chunks.length] as Buffer,
      );
      if (some.length === 1) await file.write(some[0] as Buffer);
      else await file.writev(some);
    }
    await file.datasync();
    await file.close();
    await rename(unnamed, path.join(directory, `${from}.ts`));
  };

  /** All streams side by side, the segments of each one after the other. */
  const record = async (begin: number, end: number): Promise<void> => {
    await Promise.all(
      directories.map(async (directory) => {
        for (let from = begin; from < end; from += chunksASegment)
          await segment(directory, from, Math.min(end, from + chunksASegment));
      }),
    );
  };

  const directories = Array.from({ length: streams }, (_, at) => path.join(root, `s${at}`));
  for (const directory of directories) await mkdir(directory);
  await record(0, chunksBefore);
  return () => record(chunksBefore, chunksBefore + count);
});
