/** The PAT and PMT that lie in a segment, and which segments have none to offer. */
import type { ReelPart, VolumeArchive } from '../archive/archive.ts';
import type { ReelSegments } from '../archive/reel-segments.ts';
import type { Segment } from '../archive/segment.ts';
import { segmentFlags } from '../native.ts';
import { tablesOwner } from './m3u8.ts';
import { TablesFinder } from './tables.ts';

/** Tables are repeated every 100 ms (ETSI TR 101 290 allows 500 ms): at up to 16 Mbit/s they are met within this. */
const scanBytes = 1024 * 1024;

/** The PAT and PMT at or after the start of `segment`: in it, and where it is short in the durable bytes of its reel behind it. */
export const tablesOf = async (
  archive: VolumeArchive,
  stream: string,
  reel: ReelSegments,
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
 * Those owners of tables (`tablesOwner`) of the part's segments in which none are found: an EXT-X-MAP may not name them. Media is read only
 * for an owner that does not begin with its tables, which is one that a publisher began in the middle.
 */
export const withoutTables = async (
  archive: VolumeArchive,
  stream: string,
  { reel, first, end }: ReelPart,
): Promise<readonly number[]> => {
  const owners = [tablesOwner(reel, first)];
  for (let at = first + 1; at < end; at += 1) if (reel.hasFlag(at, segmentFlags.discontinuity)) owners.push(at);
  const without: number[] = [];
  for (const owner of owners)
    if (
      !reel.hasFlag(owner, segmentFlags.tables) &&
      (await tablesOf(archive, stream, reel, reel.at(owner) as Segment)) === undefined
    )
      without.push(owner);
  return without;
};
