/**
 * The disk under a container while its power is cut at some place of a write log. What a completed flush covers is on it for good; of every
 * other write that had been given to it, any part may be. Two images: one holds what is there for good, on the other it is tried what
 * happens with some of the rest on top; trying costs the blocks that were touched, never a copy of the whole.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import path from 'node:path';
import { type LogEntry, readWriteLog } from '../luksblock/write-log.ts';

/** Bytes of the container that came with a write; `data` is where they are in the log. */
export interface Piece {
  readonly where: number;
  readonly length: number;
  readonly data: number;
}

const overlap = (one: Piece, other: Piece): boolean =>
  one.where < other.where + other.length && other.where < one.where + one.length;

/** What is on its way at a place of the log: the writes that no completed flush covers, in the order in which they were given. */
export class WritesUnderWay {
  readonly #pending = new Map<number, LogEntry>();
  readonly #ended = new Set<number>();
  readonly #covered = new Map<number, readonly number[]>();

  get pending(): LogEntry[] {
    return [...this.#pending.values()];
  }

  /** The next entry has happened; answers with the writes that are on the disk for good from now on, in order. */
  take(entry: LogEntry): LogEntry[] {
    if (entry.error !== 0)
      throw new Error(`entry ${entry.sequence}: expected a disk without errors, got ${entry.error}`);
    if (entry.kind === 'write') this.#pending.set(entry.sequence, entry);
    else if (entry.kind === 'writeEnded') this.#ended.add(entry.where);
    else if (entry.kind === 'flush') this.#covered.set(entry.sequence, [...this.#ended]);
    else return this.#settle(this.#covered.get(entry.where) ?? []);
    return [];
  }

  #settle(covered: readonly number[]): LogEntry[] {
    const settled = covered.flatMap((sequence) => this.#pending.get(sequence) ?? []);
    settled.sort((one, other) => one.sequence - other.sequence);
    for (const { sequence } of settled) {
      this.#pending.delete(sequence);
      this.#ended.delete(sequence);
    }
    // Of two writes to one place that are under way together either may be the last; nothing here gives a disk such.
    for (const entry of settled)
      for (const other of this.#pending.values())
        if (other.sequence < entry.sequence && overlap(entry, other))
          throw new Error(`entries ${other.sequence} and ${entry.sequence} were written to one place at the same time`);
    return settled;
  }
}

export class CutDisk implements Disposable {
  /** The container to be opened. */
  readonly trial: string;
  readonly #trial: number;
  readonly #settled: number;
  readonly #log: number;
  readonly #entries: readonly LogEntry[];
  readonly #underWay = new WritesUnderWay();
  #next = 0;

  /** `start`: the container as it was when the log began. Both images are made in `directory`, which is the caller's. */
  constructor(params: { start: string; log: string; entries: readonly LogEntry[]; directory: string }) {
    const { start, log, entries, directory } = params;
    this.#entries = entries;
    this.trial = path.join(directory, 'trial.luks');
    const settled = path.join(directory, 'settled.luks');
    for (const image of [this.trial, settled]) execFileSync('cp', ['--sparse=always', start, image]);
    this.#trial = openSync(this.trial, 'r+');
    this.#settled = openSync(settled, 'r+');
    this.#log = openSync(log, 'r');
  }

  [Symbol.dispose](): void {
    for (const fd of [this.#trial, this.#settled, this.#log]) closeSync(fd);
  }

  /** Goes on to the place before entry `cut`; never back. Answers with the writes under way there. */
  advance(cut: number): LogEntry[] {
    for (; this.#next < cut; this.#next += 1)
      for (const piece of this.#underWay.take(this.#entries[this.#next] as LogEntry))
        for (const image of [this.#settled, this.#trial]) this.#copy(this.#log, piece.data, image, piece);
    return this.#underWay.pending;
  }

  /** Puts these bytes on the trial image, one after the other. */
  survive(pieces: readonly Piece[]): void {
    for (const piece of pieces) this.#copy(this.#log, piece.data, this.#trial, piece);
  }

  /** Makes the trial image what is on the disk for good again: takes back `pieces` and all that the write log `trialLog` has. */
  async restore(pieces: readonly Piece[], trialLog: string): Promise<void> {
    const written = (await readWriteLog(trialLog)).filter(({ kind }) => kind === 'write');
    for (const piece of [...pieces, ...written]) this.#copy(this.#settled, piece.where, this.#trial, piece);
  }

  #copy(from: number, position: number, to: number, { where, length }: Piece): void {
    const bytes = Buffer.allocUnsafe(length);
    if (readSync(from, bytes, 0, length, position) !== length)
      throw new Error(`expected ${length} bytes at ${position}`);
    writeSync(to, bytes, 0, length, where);
  }
}
