/** The lines of segments in a media playlist (RFC 8216), made from index records without an object for each of them. */
import { addon as loaded } from './addon.ts';
import { indexSlotBytes } from './recovery.ts';

/** Neighbouring segments of one reel. */
export interface SegmentRun {
  /** Of the whole reel, those that hold (`compactIndex`), end to end. */
  readonly records: Uint8Array;
  /** Of the reel, relative to the playlist. */
  readonly hourPath: string;
  /** Positions in `records`; `end` is not written. */
  readonly first: number;
  readonly end: number;
  /** The segment whose PAT and PMT serve `first`. Each one that follows a discontinuity has its own. */
  readonly tables: number;
  /** Those of such segments that have none: no EXT-X-MAP names them. */
  readonly withoutTables: readonly number[];
  /** Nothing precedes `first`, so nothing breaks off there. */
  readonly startsPlaylist: boolean;
}

interface RawLines {
  add(
    records: Uint8Array,
    hourPath: string,
    first: number,
    end: number,
    tables: number,
    withoutTables: Uint32Array,
    startsPlaylist: boolean,
  ): number;
  take(head: string, tail: string): Buffer;
}
interface Addon {
  readonly SegmentLines: new (formerEndUs: number | null) => RawLines;
}
const addon = loaded as Addon;

/** Writes segments in order and keeps what the next depends on: the end of the neighbour before it, and the tables (EXT-X-MAP) in force. */
export class SegmentLines {
  readonly #raw: RawLines;

  /** `formerEndUs` is the end of the segment before the first one listed, where the playlist goes on from it. */
  constructor(formerEndUs?: number) {
    if (formerEndUs !== undefined && !Number.isSafeInteger(formerEndUs))
      throw new TypeError(`Expected whole microseconds, got ${formerEndUs}`);
    this.#raw = new addon.SegmentLines(formerEndUs ?? null);
  }

  /** Holds the lines of the run behind those before it; answers how many bytes are held. */
  add(run: SegmentRun): number {
    const { records, hourPath, first, end, tables, withoutTables, startsPlaylist } = run;
    const count = Math.floor(records.length / indexSlotBytes);
    if (first >= end || ![first, end - 1, tables].every((at) => Number.isInteger(at) && at >= 0 && at < count))
      throw new TypeError(`Expected positions among ${count} records, got ${first} to ${end} and ${tables}`);
    return this.#raw.add(records, hourPath, first, end, tables, Uint32Array.from(withoutTables), startsPlaylist);
  }
  /** The lines that are held, between `head` and `tail`, and holds none any more. `releaseMemory` gives the memory back at once. */
  take(head: string, tail: string): Buffer {
    return this.#raw.take(head, tail);
  }
}
