/** Segments of reels, kept by index file and read again when that file has changed. Bounded: the least recently used go first. */
import { type BigIntStats, read as readFd } from 'node:fs';
import { promisify } from 'node:util';
import { ReelError } from '../errors.ts';
import { decodeSegments } from './index-file.ts';
import type { Segment } from './segment.ts';

const read = promisify(readFd);

/** 96-byte records of the shortest segments in use, 0.5 s, fill an hour with far less than this. */
const largestIndex = 16 * 1024 * 1024;

interface Entry {
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly inode: bigint;
  readonly segments: Promise<readonly Segment[]>;
  /** 0 until read. */
  weight: number;
}

const readSegments = async (fd: number, size: number, hour: number, reelBytes: number): Promise<readonly Segment[]> => {
  if (size > largestIndex)
    throw new ReelError('archive-damaged', {
      expected: `an index of at most ${largestIndex} bytes`,
      got: `${size} bytes`,
    });
  const bytes = Buffer.alloc(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await read(fd, bytes, filled, size - filled, filled);
    if (bytesRead === 0) break; // cut by a recovery since the stat: what is there still decodes
    filled += bytesRead;
  }
  return decodeSegments(bytes.subarray(0, filled), hour, reelBytes);
};

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
   */
  async get(
    key: string,
    hour: number,
    fd: number,
    stat: BigIntStats,
    reelBytes: () => number,
  ): Promise<readonly Segment[]> {
    const known = this.#entries.get(key);
    if (known && known.size === stat.size && known.mtimeNs === stat.mtimeNs && known.inode === stat.ino) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known.segments;
    }
    this.forget(key);
    const segments = readSegments(fd, Number(stat.size), hour, reelBytes());
    const entry: Entry = { size: stat.size, mtimeNs: stat.mtimeNs, inode: stat.ino, segments, weight: 0 };
    this.#entries.set(key, entry);
    try {
      const found = await segments;
      if (this.#entries.get(key) === entry) {
        entry.weight = found.length;
        this.#weight += entry.weight;
        this.#shrink();
      }
      return found;
    } catch (error) {
      if (this.#entries.get(key) === entry) this.forget(key);
      throw error;
    }
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
