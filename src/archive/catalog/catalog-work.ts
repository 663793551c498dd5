/** What the catalog's worker does when it is told something: rows follow the files of reels, never the other way round. */
import { parseHour } from '../reel.ts';
import { reelHours } from '../reel-tree.ts';
import { type ListNames, lister, type VolumeFiles } from '../volume-files.ts';
import type { CatalogReel, RangePiece, ReelKey, ReelQuery, StreamTotals } from './catalog-reel.ts';
import { reelFacts } from './reel-facts.ts';
import type { ReelRows } from './reel-rows.ts';

const lastHour = Math.floor(Date.UTC(9999, 11, 31, 23) / 3_600_000);

/** What may be asked, with the answers. */
export interface CatalogCalls {
  /** A session of the stream begins. What a former one left is put right first. */
  began(stream: string): void;
  opened(reel: ReelKey): void;
  /** The reel is closed, or was changed by a recovery. */
  closed(reel: ReelKey): void;
  /** The session has ended with everything durable; `hour` of its last reel, where there was one. */
  ended(stream: string, hour: number | undefined): void;
  /** Those that were garbage from now on: of the reels asked for, the closed ones that have a row. */
  markGarbage(reels: readonly ReelKey[]): ReelKey[];
  /** The files of reels that were garbage are gone; one whose index is still there is none any more. */
  drop(reels: readonly ReelKey[]): void;
  list(query: ReelQuery): CatalogReel[];
  totals(): StreamTotals[];
  ranges(stream: string, firstHour: number, lastHour: number, fromUs: number, toUs: number): RangePiece[];
}

export type CatalogCall = keyof CatalogCalls;

/** A part of a rebuild. */
export interface RebuildStep {
  readonly streams: number;
  /** Before this step. */
  readonly streamsDone: number;
  /** Does it; the number of reels that it found. */
  readonly run: () => number;
}

/** Those that change nothing. */
export const queries: ReadonlySet<CatalogCall> = new Set(['list', 'totals', 'ranges']);

export class CatalogWork implements CatalogCalls {
  readonly #files: VolumeFiles;
  readonly #rows: ReelRows;
  readonly #names: ListNames;
  /** Directories that could not be read. What is in them has no row, and is looked for again at the next start. */
  #unlisted = 0;

  constructor(files: VolumeFiles, rows: ReelRows, onUnlisted: (directory: string, error: unknown) => void) {
    this.#files = files;
    this.#rows = rows;
    this.#names = lister(files, (directory, error) => {
      this.#unlisted += 1;
      onUnlisted(directory, error);
    });
  }

  get unlisted(): number {
    return this.#unlisted;
  }

  began(stream: string): void {
    if (this.#rows.isDirty(stream)) this.settle(stream);
    this.#rows.setDirty(stream, true);
  }

  opened(reel: ReelKey): void {
    this.#rows.setOpen(reel);
  }

  closed(reel: ReelKey): void {
    const facts = reelFacts(this.#files, reel.stream, reel.hour);
    if (facts === undefined) this.#rows.drop(reel);
    else this.#rows.setClosed(reel, facts);
  }

  ended(stream: string, hour: number | undefined): void {
    if (hour !== undefined) this.closed({ stream, hour });
    this.#rows.setDirty(stream, false);
  }

  markGarbage(reels: readonly ReelKey[]): ReelKey[] {
    return reels.filter((reel) => this.#rows.setGarbage(reel));
  }

  drop(reels: readonly ReelKey[]): void {
    for (const reel of reels) {
      if (this.#rows.isOpen(reel)) continue;
      this.#rows.unmark(reel);
      this.closed(reel);
    }
  }

  list(query: ReelQuery): CatalogReel[] {
    return this.#rows.list(query);
  }

  totals(): StreamTotals[] {
    return this.#rows.totals();
  }

  ranges(stream: string, first: number, last: number, fromUs: number, toUs: number): RangePiece[] {
    return this.#rows.ranges(stream, first, last, fromUs, toUs);
  }

  /**
   * Brings the newest rows of a stream without a writer in accord with its reels: from the first that was open on, else from the newest.
   * Earlier ones were closed, and are as they were.
   */
  settle(stream: string): void {
    const from = this.#rows.unsettledFrom(stream);
    const found = new Set(reelHours(this.#names, stream, from, lastHour));
    for (const hour of this.#rows.hoursFrom(stream, from)) found.add(hour);
    for (const hour of found) this.closed({ stream, hour });
  }

  /** What a start does before anything else: streams whose newest reels may have changed since their rows were written. */
  settleAll(recovered: readonly string[], failed: readonly string[]): void {
    for (const stream of new Set([...this.#rows.dirtyStreams(), ...recovered, ...failed])) {
      const before = this.#unlisted;
      this.settle(stream);
      this.#rows.setDirty(stream, failed.includes(stream) || this.#unlisted > before);
    }
  }

  /** Steps that make a row for each reel that has none, a day of a stream each. Reels may come and go meanwhile. */
  *rebuild(): Generator<RebuildStep> {
    const streams = this.#names('dvr');
    for (const [streamsDone, stream] of streams.entries())
      for (const year of this.#names(`dvr/${stream}`))
        for (const month of this.#names(`dvr/${stream}/${year}`))
          for (const day of this.#names(`dvr/${stream}/${year}/${month}`))
            yield { streams: streams.length, streamsDone, run: () => this.#addDay(stream, year, month, day) };
  }

  #addDay(stream: string, year: string, month: string, day: string): number {
    let reels = 0;
    for (const name of this.#names(`dvr/${stream}/${year}/${month}/${day}`)) {
      const hour = name.endsWith('.idx') ? parseHour(year, month, day, name.slice(0, -4)) : undefined;
      if (hour === undefined) continue;
      if (!this.#rows.has({ stream, hour })) this.closed({ stream, hour });
      reels += 1;
    }
    return reels;
  }
}
