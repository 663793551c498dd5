/**
 * Media sequence and discontinuity sequence of live playlists.
 *
 * RFC 8216 wants a segment to keep its number for ever, one above its neighbour's, also when the daemon restarts. The number is
 * therefore counted through the archive: the number of an hour's first segment is that of the hour before plus the segments the
 * index of that hour holds. So that not the whole archive is counted, an anchor is kept (which hour, its first numbers) and moved on
 * every hour. A stream without an anchor starts from the clock, 3600 numbers an hour: should the anchor be lost, the numbers still
 * grow, as segments last a second or longer.
 */
import type { ReelPart, VolumeArchive } from '../archive/archive.ts';
import { hourUs } from '../archive/reel.ts';
import type { NumberAnchor } from '../recorder/stream-registry.ts';

export interface AnchorStore {
  anchor(stream: string): NumberAnchor | undefined;
  /** Keeps the anchor across restarts. */
  setAnchor(stream: string, anchor: NumberAnchor): Promise<void>;
}

export const seedAnchor = (hour: number): NumberAnchor => ({ hour, sequence: hour * 3600, discontinuities: 0 });

/** How many segments of the part break off from the one before; `olderEndUs` is the end of the reel before, where there is one. */
export const countDiscontinuities = ({ reel, first, end }: ReelPart, olderEndUs: number | undefined): number => {
  let count = 0;
  for (let at = first; at < end; at += 1) if (reel.isDiscontinuous(at, olderEndUs)) count += 1;
  return count;
};

/** The anchor of `hour`, counted from the stored one. Stores it when the hour is new. */
export const anchorOf = async (
  archive: VolumeArchive,
  store: AnchorStore,
  stream: string,
  hour: number,
): Promise<NumberAnchor> => {
  const stored = store.anchor(stream);
  if (stored?.hour === hour) return stored;
  let anchor = seedAnchor(hour);
  if (stored !== undefined && stored.hour < hour) {
    let { sequence, discontinuities } = stored;
    let formerEndUs = (await archive.newestReel(stream, stored.hour))?.reel.lastEndUs;
    for (const past of archive.hours(stream, stored.hour * hourUs, (hour - 1) * hourUs)) {
      const reel = await archive.readable(stream, past);
      sequence += reel.length;
      discontinuities += countDiscontinuities({ hour: past, reel, first: 0, end: reel.length }, formerEndUs);
      formerEndUs = reel.lastEndUs ?? formerEndUs;
    }
    anchor = { hour, sequence, discontinuities };
  }
  await store.setAnchor(stream, anchor);
  return anchor;
};
