/** Text of media playlists (RFC 8216). Every function here is pure: what to list is decided by the callers. */
import { hourPath } from '../archive/reel.ts';
import { hasFlag, isDiscontinuous, type Segment } from '../archive/segment.ts';
import { segmentFlags } from '../native.ts';

const ticks = 90_000;

const twoDigits = Array.from({ length: 60 }, (_, value) => String(value).padStart(2, '0'));
const threeDigits = Array.from({ length: 1000 }, (_, value) => String(value).padStart(3, '0'));

export interface PlaylistHeader {
  /** Seconds; no EXTINF of the playlist, rounded, may exceed it. */
  readonly targetDuration: number;
  readonly mediaSequence: number;
  readonly discontinuitySequence: number;
  readonly type?: 'VOD' | 'EVENT';
}

/** Rounded as EXT-X-TARGETDURATION wants it, at least 1. */
export const roundedSeconds = (segment: Segment): number => Math.max(1, Math.round(segment.duration / ticks));

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

/** The URI of a segment, relative to the playlist's. */
export const segmentUri = (segment: Segment): string =>
  `${hourPath(segment.hour)}/${segment.offset}-${segment.length}.ts`;

/** The URI of the PAT and PMT of a segment, relative to the playlist's. */
export const tablesUri = (segment: Segment): string =>
  `${hourPath(segment.hour)}/${segment.offset}-${segment.length}.tables.ts`;

/**
 * The segment whose PAT and PMT serve the one at `position` of a reel: the nearest before it (or itself) that follows a discontinuity,
 * else the reel's first. It is the same for every playlist that lists the segment, so players fetch the tables once.
 */
export const tablesOwner = (reel: readonly Segment[], position: number): Segment => {
  let at = position;
  while (at > 0 && !hasFlag(reel[at] as Segment, segmentFlags.discontinuity)) at -= 1;
  return reel[at] as Segment;
};

/** Writes segments in order and keeps what the next depends on: the neighbour before it, and the tables (EXT-X-MAP) in force. */
export class SegmentLines {
  #former: Segment | undefined;
  #owner: Segment | undefined;
  #map: string | undefined;
  // Neighbours have the same in common; made once, a day of segments is written in a third of the time.
  #dateHour: number | undefined;
  #date = '';
  #duration: number | undefined;
  #extinf = '';

  /** `former` is the segment before the first one listed, where the playlist goes on from it. */
  constructor(former?: Segment) {
    this.#former = former;
  }

  /**
   * The lines of the segment at `position` of `reel` (all segments of its hour). `reset` is false for the first of a VOD playlist:
   * nothing precedes it, so nothing breaks off. `without` are the owners of tables that have none: no EXT-X-MAP names them.
   */
  add(reel: readonly Segment[], position: number, without: ReadonlySet<Segment>, reset = true): string {
    const segment = reel[position] as Segment;
    const discontinuous = isDiscontinuous(segment, this.#former) && reset;
    if (this.#owner?.hour !== segment.hour) this.#owner = tablesOwner(reel, position);
    else if (hasFlag(segment, segmentFlags.discontinuity)) this.#owner = segment;
    let lines = discontinuous ? '#EXT-X-DISCONTINUITY\n' : '';
    // A map stays in force until the next one: after a discontinuity the old one would be wrong even for a segment with its own tables.
    if (!hasFlag(segment, segmentFlags.tables) || (discontinuous && this.#map !== undefined)) {
      const map = without.has(this.#owner) ? undefined : tablesUri(this.#owner);
      if (map !== undefined && map !== this.#map) lines += `#EXT-X-MAP:URI="${map}"\n`;
      this.#map = map ?? this.#map;
    }
    this.#former = segment;
    if (segment.duration !== this.#duration) {
      this.#duration = segment.duration;
      this.#extinf = (segment.duration / ticks).toFixed(6);
    }
    return `${lines}#EXT-X-PROGRAM-DATE-TIME:${this.#dateOf(segment.startUs)}\n#EXTINF:${this.#extinf},\n${segmentUri(segment)}\n`;
  }

  /** ISO 8601 in UTC, to the millisecond. Within an hour only its end changes. */
  #dateOf(us: number): string {
    const ms = Math.floor(us / 1000);
    const hour = Math.floor(ms / 3_600_000);
    if (hour !== this.#dateHour) {
      this.#dateHour = hour;
      this.#date = new Date(ms).toISOString().slice(0, -'mm:ss.sssZ'.length);
    }
    const rest = ms - hour * 3_600_000;
    const seconds = Math.floor(rest / 1000);
    const minutes = Math.floor(seconds / 60);
    return `${this.#date}${twoDigits[minutes]}:${twoDigits[seconds - minutes * 60]}.${threeDigits[rest - seconds * 1000]}Z`;
  }
}
