/** Text of media playlists (RFC 8216) but for the lines of segments. Every function here is pure: what to list is decided by the callers. */
import type { ReelPart } from '../archive/archive.ts';
import { hourPath } from '../archive/reel.ts';
import type { ReelSegments } from '../archive/reel-segments.ts';
import { type SegmentLines, segmentFlags } from '../native.ts';

const ticks = 90_000;

export interface PlaylistHeader {
  /** Seconds; no EXTINF of the playlist, rounded, may exceed it. */
  readonly targetDuration: number;
  readonly mediaSequence: number;
  readonly discontinuitySequence: number;
  readonly type?: 'VOD' | 'EVENT';
}

/** The longest segment of the part in seconds, rounded as EXT-X-TARGETDURATION wants it, at least 1. */
export const longestSeconds = ({ reel, first, end }: ReelPart): number => {
  let longest = 0;
  for (let at = first; at < end; at += 1) longest = Math.max(longest, reel.duration(at));
  return Math.max(1, Math.round(longest / ticks));
};

export const header = (values: PlaylistHeader): string =>
  [
    '#EXTM3U',
    '#EXT-X-VERSION:6', // EXT-X-MAP outside of I-frame playlists wants 6
    `#EXT-X-TARGETDURATION:${values.targetDuration}`,
    ...(values.type === undefined ? [] : [`#EXT-X-PLAYLIST-TYPE:${values.type}`]),
    `#EXT-X-MEDIA-SEQUENCE:${values.mediaSequence}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${values.discontinuitySequence}`,
    '',
  ].join('\n');

export const endList = '#EXT-X-ENDLIST\n';

/**
 * The segment whose PAT and PMT serve the one at `position` of a reel: the nearest before it (or itself) that follows a discontinuity,
 * else the reel's first. It is the same for every playlist that lists the segment, so players fetch the tables once.
 */
export const tablesOwner = (reel: ReelSegments, position: number): number => {
  let at = position;
  while (at > 0 && !reel.hasFlag(at, segmentFlags.discontinuity)) at -= 1;
  return at;
};

/** Adds the lines of the part's segments. `withoutTables`: the owners of tables that have none, so that no EXT-X-MAP may name them. */
export const addPart = (
  lines: SegmentLines,
  { hour, reel, first, end }: ReelPart,
  withoutTables: readonly number[],
  startsPlaylist = false,
): number =>
  lines.add({
    records: reel.records,
    hourPath: hourPath(hour),
    first,
    end,
    tables: tablesOwner(reel, first),
    withoutTables,
    startsPlaylist,
  });
