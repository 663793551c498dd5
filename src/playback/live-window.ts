/** Which segments a live playlist lists, and with which numbers. */
import type { ReelPart, VolumeArchive } from '../archive/archive.ts';
import type { NumberAnchor } from '../recorder/stream-registry.ts';
import { type AnchorStore, anchorOf, countDiscontinuities } from './numbering.ts';

export interface LiveWindow {
  /** Parts of neighbouring reels, in order of time, none empty. */
  readonly listed: readonly ReelPart[];
  /** The end of the neighbour before the first segment listed. */
  readonly formerEndUs: number | undefined;
  readonly mediaSequence: number;
  readonly discontinuitySequence: number;
}

/** Segments that ended longer than this before the newest one belong to an earlier broadcast; a live player must not start there. */
export const reachUs = 600_000_000;

/** The part with the last segments of a reel, at most `count`, and of these only those that end at `fromUs` or later. */
const tailOf = ({ hour, reel }: ReelPart, count: number, fromUs: number): ReelPart => {
  let first = reel.length;
  while (first > 0 && reel.length - first < count && reel.endUs(first - 1) >= fromUs) first -= 1;
  return { hour, reel, first, end: reel.length };
};

/**
 * The window over the last `count` segments of `reels` (whole, in order of time, none empty; enough of them that `count` and the neighbour
 * before are inside where they exist). `anchor` is that of the last reel.
 */
export const placeWindow = (reels: readonly ReelPart[], count: number, anchor: NumberAnchor): LiveWindow => {
  const newest = reels.at(-1) as ReelPart;
  const fromUs = newest.reel.startUs(newest.reel.length - 1) - reachUs;
  const listed: ReelPart[] = [];
  let { sequence, discontinuities } = anchor;
  let wanted = count;
  for (let at = reels.length - 1; at >= 0; at -= 1) {
    const part = tailOf(reels[at] as ReelPart, wanted, fromUs);
    const olderEndUs = reels[at - 1]?.reel.lastEndUs;
    const size = part.end - part.first;
    if (part.reel === newest.reel) {
      sequence += part.first;
      discontinuities += countDiscontinuities({ ...part, first: 0, end: part.first }, olderEndUs);
    } else {
      sequence -= size;
      discontinuities -= countDiscontinuities(part, olderEndUs);
    }
    if (size > 0) listed.unshift(part);
    wanted -= size;
    if (part.first > 0) break;
  }
  const { reel, first } = listed[0] as ReelPart;
  const formerEndUs = first > 0 ? reel.endUs(first - 1) : reels[reels.length - listed.length - 1]?.reel.lastEndUs;
  return { listed, formerEndUs, mediaSequence: sequence, discontinuitySequence: discontinuities };
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
  const reels = [newest];
  let held = newest.reel.length;
  let hour = newest.hour;
  // One older reel in any case: whether the newest reel's first segment breaks off shows only beside the one before it.
  while (reels.length === 1 || (held <= count && (newest.hour - hour) * 3600 < reachUs / 1e6 + 3600)) {
    const older = await archive.newestReel(stream, hour);
    if (older === undefined) break;
    reels.unshift(older);
    held += older.reel.length;
    hour = older.hour;
  }
  return placeWindow(reels, count, anchor);
};
