/** What one open volume has recorded. Shows durable segments only; reads indexes, never media, and never the whole archive. */

import { once } from 'node:events';
import { closeSync, constants, createReadStream, fstatSync, type ReadStream } from 'node:fs';
import { explainedError } from '../datapath/failure.ts';
import { ReelError } from '../errors.ts';
import type { Catalog } from './catalog/catalog.ts';
import type { RangePiece } from './catalog/catalog-reel.ts';
import { IndexCache } from './index-cache.ts';
import { readAhead } from './read-ahead.ts';
import { hourOf, indexPath, reelPath } from './reel.ts';
import { noSegments, type ReelSegments } from './reel-segments.ts';
import { reelHours } from './reel-tree.ts';
import { mergeRange, type Segment, type TimeRange } from './segment.ts';
import { isThere, isUnreadable, type ListNames, lister, type VolumeFiles, whenMissing } from './volume-files.ts';

/** The part of one hour's reel that a range touches: from `first` to `end`, which is not in it. */
export interface ReelPart {
  readonly hour: number;
  readonly reel: ReelSegments;
  readonly first: number;
  readonly end: number;
}

const lastHour = hourOf(Date.UTC(9999, 11, 31, 23) * 1000);

export const isDamage = (error: unknown): error is ReelError =>
  error instanceof ReelError && error.code === 'archive-damaged';

export class VolumeArchive {
  readonly files: VolumeFiles;
  /** None for a volume that is open read-only. Closed with the archive. */
  readonly catalog: Catalog | undefined;
  readonly #cache: IndexCache;
  readonly #reading = new Set<ReadStream>();
  readonly #onDamaged: (stream: string, hour: number, error: ReelError) => void;
  readonly #onUnlisted: (directory: string, error: ReelError) => void;
  /** Paths of indexes and directories of which it was told that they were passed over. */
  readonly #damaged = new Set<string>();
  readonly #list: ListNames;
  /** Streams with a writer: the start of the newest segment known durable. Index records after it may not be on disk yet. */
  readonly #durableStart = new Map<string, number>();

  /**
   * `onDamaged` hears once of a reel that is passed over because its index cannot be read (`archive-damaged`, or what the storage said),
   * `onUnlisted` of a directory of a stream.
   */
  constructor(params: {
    files: VolumeFiles;
    catalog?: Catalog;
    maxCachedSegments?: number;
    onDamaged?: (stream: string, hour: number, error: ReelError) => void;
    onUnlisted?: (directory: string, error: ReelError) => void;
  }) {
    this.files = params.files;
    this.catalog = params.catalog;
    this.#onDamaged = params.onDamaged ?? (() => {});
    this.#onUnlisted = params.onUnlisted ?? (() => {});
    const read = (path: string): unknown => this.#damaged.delete(path);
    this.#list = lister(params.files, (path, error) => this.passOver(path, error), read);
    this.#cache = new IndexCache({ maxSegments: params.maxCachedSegments ?? 200_000 });
  }

  /** From now on segments of `stream` that start after `startUs` are hidden. Called again as they become durable; -1 hides all. */
  showUpTo(stream: string, startUs: number): void {
    this.#durableStart.set(stream, startUs);
  }

  /** No writer has the stream any more and all its index records are durable. */
  showAll(stream: string): void {
    this.#durableStart.delete(stream);
  }

  /** What `showUpTo` said last; `undefined` where all is shown. */
  shownUpTo(stream: string): number | undefined {
    return this.#durableStart.get(stream);
  }

  /** A directory of a stream cannot be read: told once, until it can be. */
  passOver(directory: string, error: unknown): void {
    if (!this.#damaged.has(directory))
      this.#onUnlisted(directory, explainedError('the volume', 'list', directory, error));
    this.#damaged.add(directory);
  }

  /** Names below `dvr`, in order. */
  streams(): string[] {
    return [...this.#list('dvr')].sort();
  }

  /** Whether the stream has a directory. However many others there are, it costs the same. */
  knows(stream: string): boolean {
    return isThere(this.files, `dvr/${stream}`);
  }

  /** The hours with a reel, from the hour of `fromUs` to that of `toUs`, both included. */
  hours(stream: string, fromUs: number, toUs: number): number[] {
    return [...reelHours(this.#list, stream, this.#hour(fromUs), this.#hour(toUs))];
  }

  /** The hours with a reel before `before`, the newest first; directories are read as it goes on. */
  hoursBack(stream: string, before = lastHour + 1): Iterable<number> {
    return before <= 0 ? [] : reelHours(this.#list, stream, 0, before - 1, true);
  }

  /** Whether there is a reel of the stream. */
  holds(stream: string): boolean {
    for (const _hour of this.hoursBack(stream)) return true;
    return false;
  }

  /** As `reel`, but empty where the index is damaged or cannot be read: one bad hour must not take the others along. */
  async readable(stream: string, hour: number, passing = false): Promise<ReelSegments> {
    const path = indexPath(stream, hour);
    try {
      const reel = await this.reel(stream, hour, passing);
      this.#damaged.delete(path);
      return reel;
    } catch (error) {
      if (!isDamage(error) && !isUnreadable(error)) throw error;
      if (!this.#damaged.has(path)) this.#onDamaged(stream, hour, explainedError('the volume', 'read', path, error));
      this.#damaged.add(path);
      return noSegments(hour);
    }
  }

  /**
   * The durable segments of one hour in order; empty where there is no reel. `archive-damaged` where its index has no valid header. With
   * `passing` they are not kept for the next one who asks, and the caller releases them.
   */
  async reel(stream: string, hour: number, passing = false): Promise<ReelSegments> {
    const path = indexPath(stream, hour);
    const fd = whenMissing(() => this.files.open(path, constants.O_RDONLY), -1);
    if (fd < 0) {
      this.#cache.forget(path);
      return noSegments(hour);
    }
    let all: ReelSegments;
    try {
      const reelBytes = () => this.#reelBytes(stream, hour);
      all = await this.#cache.get(path, hour, fd, fstatSync(fd, { bigint: true }), reelBytes, passing);
    } finally {
      closeSync(fd);
    }
    const limit = this.#durableStart.get(stream);
    const last = all.at(-1);
    if (limit === undefined || last === undefined || last.startUs <= limit) return all;
    return all.upTo(all.firstWhere((at) => all.startUs(at) > limit));
  }

  /** The newest hour that has a durable segment; damaged ones are passed over. */
  async newestReel(stream: string, before = lastHour + 1): Promise<ReelPart | undefined> {
    for (const hour of this.hoursBack(stream, before)) {
      const reel = await this.readable(stream, hour);
      if (reel.length > 0) return { hour, reel, first: 0, end: reel.length };
    }
    return undefined;
  }

  async newest(stream: string): Promise<Segment | undefined> {
    return (await this.newestReel(stream))?.reel.at(-1);
  }

  /** Reel by reel, the durable segments that touch `[fromUs, toUs)`. The next few reels are read while one is used. */
  parts(stream: string, fromUs: number, toUs: number): AsyncGenerator<ReelPart> {
    return this.#parts(stream, fromUs, toUs, 0, false);
  }

  /** As `parts`, for one who is done with each part when asking for the next: long spans go by without filling memory or the cache. */
  passingParts(stream: string, fromUs: number, toUs: number, firstHour = 0): AsyncGenerator<ReelPart> {
    return this.#parts(stream, fromUs, toUs, firstHour, true);
  }

  /**
   * The recorded time that touches `[fromUs, toUs)`, in order; whole segments, so the ends may lie outside. The catalog answers for the reels
   * that nobody writes into, where it can; the others are read.
   */
  async ranges(stream: string, fromUs: number, toUs: number): Promise<TimeRange[]> {
    const first = Math.max(0, this.#hour(fromUs) - 1);
    const limit = this.#durableStart.get(stream);
    const firstRead = limit === undefined ? lastHour + 1 : Math.max(hourOf(limit), 0);
    const last = Math.min(this.#hour(toUs), firstRead - 1);
    const asked = last < first ? [] : this.catalog?.ranges(stream, first, last, fromUs, toUs);
    const ends = this.#ends(stream, last, fromUs, toUs);
    const known = await asked;
    const hasBegun = limit === undefined && this.#durableStart.has(stream); // to be recorded: what was read may have grown
    const ranges: TimeRange[] = [];
    const add = ({ reel, first, end }: ReelPart): void => reel.addTo(ranges, first, end);
    const read = async (piece: RangePiece) => {
      if (!('hour' in piece)) return piece;
      const early = hasBegun ? undefined : ends.get(piece.hour);
      if (early !== undefined) ends.delete(piece.hour);
      return early ?? this.#part(stream, piece.hour, fromUs, toUs, true);
    };
    for await (const piece of readAhead(known ?? [], read))
      if ('reel' in piece) {
        add(piece);
        piece.reel.release();
      } else for (const range of piece.ranges) mergeRange(ranges, range);
    for (const unused of ends.values())
      unused.then(
        ({ reel }) => reel.release(),
        () => {},
      );
    if (known === undefined || firstRead <= this.#hour(toUs))
      for await (const part of this.passingParts(stream, fromUs, toUs, known === undefined ? 0 : firstRead)) add(part);
    return ranges;
  }

  /** The durable segment of exactly these bytes, or `undefined`. */
  async find(stream: string, hour: number, offset: number, length: number): Promise<Segment | undefined> {
    const reel = await this.reel(stream, hour);
    const found = reel.at(reel.firstWhere((at) => reel.offset(at) >= offset));
    return found?.offset === offset && found.length === length ? found : undefined;
  }

  /**
   * Bytes `start` to `end` (included) of a reel, read at explicit positions through a descriptor of its own, which goes with the stream.
   * `no-recording` where there is no such reel. Only bytes that a durable segment names may be asked for: the rest is not the archive's.
   */
  read(stream: string, hour: number, start: number, end: number): ReadStream {
    const path = reelPath(stream, hour);
    const fd = whenMissing(() => this.files.open(path, constants.O_RDONLY), -1);
    if (fd < 0) throw new ReelError('no-recording', { expected: 'a reel of this hour', got: `no file ${path}` });
    const bytes = createReadStream('', { fd, start, end, highWaterMark: 256 * 1024 });
    this.#reading.add(bytes);
    bytes.once('close', () => this.#reading.delete(bytes));
    return bytes;
  }

  /** How many segments the index cache holds. */
  get cached(): number {
    return this.#cache.weight;
  }

  /** How many reels are being read. */
  get reading(): number {
    return this.#reading.size;
  }

  /** Ends all reads and the catalog, and resolves when their descriptors are closed, so that the volume can be locked. */
  async close(): Promise<void> {
    const catalogClosed = this.catalog?.close();
    const closed = [...this.#reading].map((bytes) => once(bytes, 'close'));
    const stopped = new ReelError('volume-state', { expected: 'an open volume', got: 'one that is being locked' });
    for (const bytes of this.#reading) bytes.destroy(stopped);
    // `once` rejects on the error that the destroyed stream reports; only the closing matters.
    await Promise.allSettled(closed);
    await catalogClosed;
  }

  async *#parts(
    stream: string,
    fromUs: number,
    toUs: number,
    firstHour: number,
    passing: boolean,
  ): AsyncGenerator<ReelPart> {
    // The last segment of the hour before may reach into this one.
    const first = Math.max(firstHour, this.#hour(fromUs) - 1);
    const hours = reelHours(this.#list, stream, first, this.#hour(toUs));
    for await (const part of readAhead(hours, (hour) => this.#part(stream, hour, fromUs, toUs, passing))) {
      if (part.first < part.end) yield part;
      part.reel.release();
    }
  }

  /**
   * The reels, up to the hour `last`, that most likely lie across the ends of a span: read while the catalog is asked, which will name them. One that
   * fails is told by who waits for it.
   */
  #ends(stream: string, last: number, fromUs: number, toUs: number): Map<number, Promise<ReelPart>> {
    const parts = new Map<number, Promise<ReelPart>>();
    if (this.catalog?.state !== 'ready') return parts;
    for (const hour of new Set([this.#hour(fromUs), this.#hour(toUs)]))
      if (hour <= last) parts.set(hour, this.#part(stream, hour, fromUs, toUs, true));
    for (const part of parts.values()) part.catch(() => {});
    return parts;
  }

  async #part(stream: string, hour: number, fromUs: number, toUs: number, passing: boolean): Promise<ReelPart> {
    const reel = await this.readable(stream, hour, passing);
    const first = reel.firstWhere((at) => reel.endUs(at) > fromUs);
    return { hour, reel, first, end: reel.firstWhere((at) => reel.startUs(at) >= toUs) };
  }

  #reelBytes(stream: string, hour: number): number {
    const fd = whenMissing(() => this.files.open(reelPath(stream, hour), constants.O_RDONLY), -1);
    if (fd < 0) return 0;
    try {
      return fstatSync(fd).size;
    } finally {
      closeSync(fd);
    }
  }

  #hour(us: number): number {
    return Math.min(Math.max(hourOf(us), 0), lastHour);
  }
}
