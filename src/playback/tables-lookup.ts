/** The PAT and PMT that lie in a segment, and which segments have none to offer. */
import type { VolumeArchive } from '../archive/archive.ts';
import { hasFlag, type Segment } from '../archive/segment.ts';
import { segmentFlags } from '../native.ts';
import { tablesOwner } from './m3u8.ts';
import { TablesFinder } from './tables.ts';

/** Tables are repeated every 100 ms (ETSI TR 101 290 allows 500 ms): at up to 16 Mbit/s they are met within this. */
const scanBytes = 1024 * 1024;

/** The PAT and PMT at or after the start of `segment`: in it, and where it is short in the durable bytes of its reel behind it. */
export const tablesOf = async (
  archive: VolumeArchive,
  stream: string,
  reel: readonly Segment[],
  segment: Segment,
): Promise<Buffer | undefined> => {
  const last = reel.at(-1) ?? segment;
  const end = Math.min(last.offset + last.length, segment.offset + Math.max(segment.length, scanBytes));
  const finder = new TablesFinder();
  for await (const chunk of archive.read(stream, segment.hour, segment.offset, end - 1)) {
    const found = finder.find(chunk as Buffer);
    if (found !== undefined) return found; // leaving the loop destroys the stream and closes its descriptor
  }
  return undefined;
};

/**
 * Those owners of tables (`tablesOwner`) of the segments `reel.slice(first, end)` in which none are found: an EXT-X-MAP may not name
 * them. Media is read only for an owner that does not begin with its tables, which is one that a publisher began in the middle.
 */
export const withoutTables = async (
  archive: VolumeArchive,
  stream: string,
  reel: readonly Segment[],
  first: number,
  end: number,
): Promise<ReadonlySet<Segment>> => {
  const owners = new Set<Segment>();
  for (let at = first; at < end; at += 1) {
    const segment = reel[at] as Segment;
    if (at === first) owners.add(tablesOwner(reel, at));
    else if (hasFlag(segment, segmentFlags.discontinuity)) owners.add(segment);
  }
  const without = new Set<Segment>();
  for (const owner of owners)
    if (!hasFlag(owner, segmentFlags.tables) && (await tablesOf(archive, stream, reel, owner)) === undefined)
      without.add(owner);
  return without;
};
