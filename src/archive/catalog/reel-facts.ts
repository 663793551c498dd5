/** Looks at the files of a reel, for its row in the catalog. Reads at once and waits for the disk: the worker's business. */
import { closeSync, constants, fstatSync, readFileSync } from 'node:fs';
import { ReelError } from '../../errors.ts';
import { readContents } from '../index-file.ts';
import { indexPath, reelPath } from '../reel.ts';
import type { TimeRange } from '../segment.ts';
import { isUnreadable, type VolumeFiles, whenMissing } from '../volume-files.ts';
import { type ReelFacts, reelFlags } from './catalog-reel.ts';

const openFile = (files: VolumeFiles, path: string): number | 'missing' | 'unreadable' => {
  try {
    return whenMissing<number | 'missing'>(() => files.open(path, constants.O_RDONLY), 'missing');
  } catch (error) {
    if (isUnreadable(error)) return 'unreadable';
    throw error;
  }
};

const withFile = <T>(
  files: VolumeFiles,
  path: string,
  look: (fd: number) => T,
  without: (why: 'missing' | 'unreadable') => T,
): T => {
  const fd = openFile(files, path);
  if (typeof fd === 'string') return without(fd);
  try {
    return look(fd);
  } finally {
    closeSync(fd);
  }
};

const damaged = (bytes: number): ReelFacts => ({ bytes, segments: 0, flags: reelFlags.damaged, ranges: [] });

/** More is no index (docs/archive.md); reading it whole would cost memory. */
const largestIndex = 16 * 1024 * 1024;

/** What a reel holds, or `undefined` where it has no index. An index that cannot be read is `damaged` and no error. */
export const reelFacts = (files: VolumeFiles, stream: string, hour: number): ReelFacts | undefined => {
  const reelBytes = withFile(
    files,
    reelPath(stream, hour),
    (fd) => fstatSync(fd).size,
    () => 0,
  );
  return withFile<ReelFacts | undefined>(
    files,
    indexPath(stream, hour),
    (fd) => {
      const bytes = reelBytes + fstatSync(fd).size;
      if (bytes - reelBytes > largestIndex) return damaged(bytes);
      const index = readIndex(fd, reelBytes);
      if (index?.hour !== hour) return damaged(bytes);
      const ranges: TimeRange[] = [];
      index.segments.addTo(ranges);
      const flags = (ranges.length > 1 ? reelFlags.gaps : 0) | (index.evidence ? reelFlags.evidence : 0);
      return { bytes, segments: index.segments.length, flags, ranges };
    },
    (why) => (why === 'missing' ? undefined : damaged(reelBytes)),
  );
};

const readIndex = (fd: number, reelBytes: number) => {
  try {
    return readContents(readFileSync(fd), reelBytes);
  } catch (error) {
    if (error instanceof ReelError) throw error;
    return undefined; // EIO on one index must not take the others along
  }
};
