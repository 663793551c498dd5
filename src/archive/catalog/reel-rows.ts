/** The statements on the catalog's tables. Used inside the worker only; each call may wait for the disk and throws SQLite's errors. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { TimeRange } from '../segment.ts';
import type {
  CatalogReel,
  RangePiece,
  ReelFacts,
  ReelKey,
  ReelQuery,
  ReelState,
  StreamTotals,
} from './catalog-reel.ts';
import { piecesOf, recordedTime } from './recorded-time.ts';

const numbers: Readonly<Record<ReelState, number>> = { open: 0, closed: 1, garbage: 2 };
const words: readonly ReelState[] = ['open', 'closed', 'garbage'];

type Row = readonly [
  name: string,
  hour: number,
  bytes: number,
  segments: number,
  number | null,
  number | null,
  number,
  number,
];
const packRanges = (ranges: readonly TimeRange[]): Uint8Array | null => {
  if (ranges.length < 2) return null;
  const pairs = Buffer.alloc(ranges.length * 16);
  ranges.forEach(({ startUs, endUs }, at) => {
    pairs.writeBigInt64LE(BigInt(startUs), at * 16);
    pairs.writeBigInt64LE(BigInt(endUs), at * 16 + 8);
  });
  return pairs;
};

const toReel = ([stream, hour, bytes, segments, firstUs, lastUs, state, flags]: Row): CatalogReel => ({
  stream,
  hour,
  bytes,
  segments,
  firstUs,
  lastUs,
  state: words[state] ?? 'open',
  flags,
});

const columns = 'name, hour, bytes, segments, first_us, last_us, state, flags';
const page = `SELECT ${columns} FROM reels JOIN streams ON streams.id = reels.stream`;

export class ReelRows {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();
  readonly #ids = new Map<string, number>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  get done(): boolean {
    return this.#sql('SELECT done FROM work').get()?.done === 1;
  }

  setDone(): void {
    this.#sql('UPDATE work SET done = 1').run();
  }

  /** All of `work`, or nothing of it. On disk when it returns. */
  transaction<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      this.#ids.clear(); // a stream's number may have gone with it
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Takes a full log back into the file, so that the next one begins on blocks that it owns already. */
  checkpoint(): void {
    this.#db.exec('PRAGMA wal_checkpoint(RESTART)');
  }

  setDirty(stream: string, dirty: boolean): void {
    this.#sql('UPDATE streams SET dirty = ? WHERE id = ?').run(dirty ? 1 : 0, this.#idOf(stream));
  }

  isDirty(stream: string): boolean {
    return this.#sql('SELECT dirty FROM streams WHERE name = ?').get(stream)?.dirty === 1;
  }

  dirtyStreams(): string[] {
    return this.#sql('SELECT name FROM streams WHERE dirty = 1')
      .all()
      .map(({ name }) => String(name));
  }

  /** A writer has the reel. What was known of it is kept: it has grown since. One that was garbage is recorded anew, and no garbage any more. */
  setOpen({ stream, hour }: ReelKey): void {
    this.#sql(
      `INSERT INTO reels VALUES (?, ?, 0, 0, NULL, NULL, 0, 0, NULL)
       ON CONFLICT DO UPDATE SET state = 0`,
    ).run(this.#idOf(stream), hour);
  }

  /** Puts a closed reel down as it was found. One that is garbage stays garbage. */
  setClosed({ stream, hour }: ReelKey, { bytes, segments, flags, ranges }: ReelFacts): void {
    this.#sql(
      `INSERT INTO reels VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?) ON CONFLICT DO UPDATE SET
         bytes = excluded.bytes, segments = excluded.segments, first_us = excluded.first_us, last_us = excluded.last_us,
         state = 1, flags = excluded.flags, ranges = excluded.ranges WHERE state <> 2`,
    ).run(
      this.#idOf(stream),
      hour,
      bytes,
      segments,
      ranges[0]?.startUs ?? null,
      ranges.at(-1)?.endUs ?? null,
      flags,
      packRanges(ranges),
    );
  }

  /** True where the row was there and not open. Only then may the reel's files be deleted. */
  setGarbage({ stream, hour }: ReelKey): boolean {
    return (
      this.#sql('UPDATE reels SET state = 2 WHERE stream = ? AND hour = ? AND state <> 0').run(this.#idOf(stream), hour)
        .changes === 1
    );
  }

  /** Takes the mark off. */
  unmark({ stream, hour }: ReelKey): void {
    this.#sql('UPDATE reels SET state = 1 WHERE stream = ? AND hour = ? AND state = 2').run(this.#idOf(stream), hour);
  }

  isOpen({ stream, hour }: ReelKey): boolean {
    const row = this.#sql('SELECT state FROM reels WHERE stream = ? AND hour = ?').get(this.#idOf(stream), hour);
    return row?.state === numbers.open;
  }

  drop({ stream, hour }: ReelKey): void {
    this.#sql('DELETE FROM reels WHERE stream = ? AND hour = ?').run(this.#idOf(stream), hour);
  }

  hoursFrom(stream: string, hour: number): number[] {
    return this.#sql('SELECT hour FROM reels WHERE stream = ? AND hour >= ?')
      .all(this.#idOf(stream), hour)
      .map((row) => Number(row.hour));
  }

  has({ stream, hour }: ReelKey): boolean {
    return this.#sql('SELECT 1 FROM reels WHERE stream = ? AND hour = ?').get(this.#idOf(stream), hour) !== undefined;
  }

  /** The hour from which on the rows of a stream may be wrong after a crash: its first open one, else its newest; 0 without any. */
  unsettledFrom(stream: string): number {
    const id = this.#idOf(stream);
    const open = this.#sql('SELECT min(hour) AS hour FROM reels WHERE stream = ? AND state = 0').get(id)?.hour;
    const newest = this.#sql('SELECT max(hour) AS hour FROM reels WHERE stream = ?').get(id)?.hour;
    return Number(open ?? newest ?? 0);
  }

  list({ stream, states = words, after, limit }: ReelQuery): CatalogReel[] {
    const wanted = words.map((word) => (states.includes(word) ? 1 : 0));
    const known = `CASE state WHEN 0 THEN ? WHEN 1 THEN ? ELSE ? END`;
    const rows =
      stream === undefined
        ? this.#rows(
            `${page} WHERE (hour, reels.stream) > (?, ?) AND ${known} ORDER BY hour, reels.stream LIMIT ?`,
          ).all(after?.hour ?? -1, after === undefined ? 0 : this.#idOf(after.stream), ...wanted, limit)
        : this.#rows(`${page} WHERE reels.stream = ? AND hour > ? AND ${known} ORDER BY hour LIMIT ?`).all(
            this.#idOf(stream),
            after?.hour ?? -1,
            ...wanted,
            limit,
          );
    return (rows as unknown as Row[]).map(toReel);
  }

  totals(): StreamTotals[] {
    return this.#sql(
      `SELECT name AS stream, count(*) AS reels, sum(bytes) AS bytes, min(hour) AS oldest
       FROM reels JOIN streams ON streams.id = reels.stream GROUP BY reels.stream ORDER BY name`,
    ).all() as unknown as StreamTotals[];
  }

  /**
   * The recorded time of the hours `firstHour` to `lastHour` that touches `[fromUs, toUs)`. A reel that is open, damaged, or lies across one
   * of the ends, must be asked itself.
   */
  ranges(stream: string, firstHour: number, lastHour: number, fromUs: number, toUs: number): RangePiece[] {
    const row = this.#sql(recordedTime).get(fromUs, toUs, this.#idOf(stream), firstHour, lastHour);
    return piecesOf((row?.pairs ?? null) as Uint8Array | null);
  }

  #idOf(stream: string): number {
    let id = this.#ids.get(stream);
    if (id === undefined) {
      const select = this.#sql('SELECT id FROM streams WHERE name = ?');
      if (select.get(stream) === undefined) this.#sql('INSERT INTO streams (name) VALUES (?)').run(stream);
      id = Number(select.get(stream)?.id);
      this.#ids.set(stream, id);
    }
    return id;
  }

  #sql(text: string): StatementSync {
    let statement = this.#prepared.get(text);
    if (statement === undefined) {
      statement = this.#db.prepare(text);
      this.#prepared.set(text, statement);
    }
    return statement;
  }

  /** As `#sql`; rows come as arrays, which cost a third of objects. */
  #rows(text: string): StatementSync {
    const statement = this.#sql(text);
    statement.setReturnArrays(true);
    return statement;
  }
}
