/** Which segments a live playlist lists, and with which numbers. */
import type { VolumeArchive } from '../archive/archive.ts';
import { endUs, type Segment } from '../archive/segment.ts';
import type { NumberAnchor } from '../recorder/stream-registry.ts';
import { type AnchorStore, anchorOf, countDiscontinuities } from './numbering.ts';

/** A segment together with all segments of its reel. */
export interface Placed {
  readonly reel: readonly Segment[];
  readonly position: number;
}

export interface LiveWindow {
  readonly listed: readonly Placed[];
  /** The neighbour before the first one listed. */
  readonly former: Segment | undefined;
  readonly mediaSequence: number;
  readonly discontinuitySequence: number;
}

/** Segments that ended longer than this before the newest one belong to an earlier broadcast; a live player must not start there. */
export const reachUs = 600_000_000;

const at = (placed: Placed): Segment => placed.reel[placed.position] as Segment;

/**
 * The window over the last `count` segments of `reels` (in order of time, the last one not empty; enough of them that `count` and the
 * neighbour before are inside where they exist). `anchor` is that of the last reel.
 */
export const placeWindow = (
  reels: readonly (readonly Segment[])[],
  count: number,
  anchor: NumberAnchor,
): LiveWindow => {
  const all = reels.flatMap((reel) => reel.map((_, position): Placed => ({ reel, position })));
  const newest = at(all.at(-1) as Placed);
  let first = Math.max(0, all.length - count);
  while (endUs(at(all[first] as Placed)) < newest.startUs - reachUs) first += 1;
  const newestReelAt = all.length - (reels.at(-1)?.length ?? 0);
  const segments = all.map(at);
  const lower = Math.min(first, newestReelAt);
  const between = countDiscontinuities(segments.slice(lower, Math.max(first, newestReelAt)), segments[lower - 1]);
  const direction = first < newestReelAt ? -1 : 1;
  return {
    listed: all.slice(first),
    former: segments[first - 1],
    mediaSequence: anchor.sequence + first - newestReelAt,
    discontinuitySequence: anchor.discontinuities + direction * between,
  };
};

/** The window over the last `count` durable segments, or `undefined` where the stream has none. */
export const liveWindow = async (
  archive: VolumeArchive,
  store: AnchorStore,
  stream: string,
  count: number,
): Promise<LiveWindow | undefined> => {
  const newest = await archive.newestReel(stream);
  if (newest === undefined) return undefined;
  const anchor = await anchorOf(archive, store, stream, newest.hour);
  const reels = [newest.reel];
  let held = newest.reel.length;
  let hour = newest.hour;
  // One older reel in any case: whether the newest reel's first segment breaks off shows only beside the one before it.
  while (reels.length === 1 || (held <= count && (newest.hour - hour) * 3600 < reachUs / 1e6 + 3600)) {
    const older = await archive.newestReel(stream, hour);
    if (older === undefined) break;
    reels.unshift(older.reel);
    held += older.reel.length;
    hour = older.hour;
  }
  return placeWindow(reels, count, anchor);
};
