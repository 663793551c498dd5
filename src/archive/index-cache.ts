/** Segments of reels, kept by index file and read on when that file has grown, else anew when it has changed. Bounded: the least recently used go first. */
import type { BigIntStats } from 'node:fs';
import { type IndexReading, readIndex } from './index-reader.ts';
import { ReelSegments } from './reel-segments.ts';

interface Entry {
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly inode: bigint;
  readonly reading: Promise<IndexReading>;
  /** 0 until read. */
  weight: number;
}

export class IndexCache {
  readonly #entries = new Map<string, Entry>();
  readonly #maxSegments: number;
  #weight = 0;

  constructor(params: { maxSegments: number }) {
    this.#maxSegments = params.maxSegments;
  }

  /** How many segments are held. */
  get weight(): number {
    return this.#weight;
  }

  /**
   * The segments of the index open as `fd`, which must stay open until the promise settles. `stat` is that of `fd`; `reelBytes` is
   * asked for the length of the reel when the index must be read.
   * Rejects with `archive-damaged` where the header does not hold; a torn or damaged tail just ends the list.
   * With `passing` an index that is not held is not kept either: the caller gives the memory of its segments back.
   */
  async get(
    key: string,
    hour: number,
    fd: number,
    stat: BigIntStats,
    reelBytes: () => number,
    passing = false,
  ): Promise<ReelSegments> {
    const known = this.#entries.get(key);
    if (known && known.size === stat.size && known.mtimeNs === stat.mtimeNs && known.inode === stat.ino) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return (await known.reading).segments;
    }
    if (passing) {
      const { segments } = await readIndex(fd, Number(stat.size), hour, reelBytes());
      return new ReelSegments(hour, segments.records, true);
    }
    this.forget(key);
    const grown = known !== undefined && known.inode === stat.ino && known.size < stat.size;
    const reading = this.#read(fd, Number(stat.size), hour, reelBytes(), grown ? known.reading : undefined);
    const entry: Entry = { size: stat.size, mtimeNs: stat.mtimeNs, inode: stat.ino, reading, weight: 0 };
    this.#entries.set(key, entry);
    try {
      const { segments } = await reading;
      if (this.#entries.get(key) === entry) {
        entry.weight = segments.length;
        this.#weight += entry.weight;
        this.#shrink();
      }
      return segments;
    } catch (error) {
      if (this.#entries.get(key) === entry) this.forget(key);
      throw error;
    }
  }

  async #read(
    fd: number,
    size: number,
    hour: number,
    reelBytes: number,
    former: Promise<IndexReading> | undefined,
  ): Promise<IndexReading> {
    // A former reading that failed was its own caller's affair.
    return readIndex(fd, size, hour, reelBytes, await former?.catch(() => undefined));
  }

  forget(key: string): void {
    this.#weight -= this.#entries.get(key)?.weight ?? 0;
    this.#entries.delete(key);
  }

  #shrink(): void {
    for (const key of this.#entries.keys()) {
      if (this.#weight <= this.#maxSegments) return;
      this.forget(key);
    }
  }
}
