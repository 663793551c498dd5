/**
 * The thread that has a volume's catalog open. What waits together goes into one transaction, and is answered when that is on disk.
 * What SQLite calls damaged is thrown away and made anew from the reels, in steps between which calls are answered; after any other failure
 * the file goes too, and nothing is answered: the next start makes it anew.
 */
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate, setTimeout } from 'node:timers';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Jail } from '../../datapath/jail.ts';
import { ReelError, toReelError, type WireError } from '../../errors.ts';
import type { VolumeFiles } from '../volume-files.ts';
import type { CatalogReel } from './catalog-reel.ts';
import { CatalogWork, queries, type RebuildStep } from './catalog-work.ts';
import { ReelRows } from './reel-rows.ts';
import { openTables, removeDatabase } from './schema.ts';
import type { CallMessage, FromWorker, RebuildProgress, ToWorker, WorkerStart } from './worker-messages.ts';

/** Primary result codes of SQLite. */
const sqliteFull = 13;
const sqliteDamaged: readonly number[] = [11, 26];

/** A rebuild commits what it has found after so much work, and rests as long: recordings have the disk and the processor before it. */
const stepMs = 25;

const noProgress: RebuildProgress = { streams: 0, streamsDone: 0, reels: 0 };

const sqliteCode = (error: unknown): number | undefined => {
  const { errcode } = (error ?? {}) as { errcode?: unknown };
  return typeof errcode === 'number' ? errcode & 0xff : undefined;
};

const isDamaged = (error: unknown): boolean => sqliteDamaged.includes(sqliteCode(error) ?? 0);

const unavailable = (error: unknown): WireError => {
  const { message } = toReelError(error);
  const got = sqliteCode(error) === undefined ? message : `SQLite: ${(error as Error).message}`;
  return new ReelError('catalog-unavailable', { expected: 'the catalog of the volume to work', got }).toJSON();
};

interface Opened {
  readonly db: DatabaseSync;
  readonly rows: ReelRows;
  readonly work: CatalogWork;
}

export class CatalogWorker {
  readonly #port: MessagePort;
  readonly #start: WorkerStart;
  readonly #files: VolumeFiles;
  #opened: Opened | undefined;
  #waiting: CallMessage[] = [];
  #rebuild: Generator<RebuildStep> | undefined;
  #progress: RebuildProgress = noProgress;

  constructor(port: MessagePort, start: WorkerStart) {
    this.#port = port;
    this.#start = start;
    this.#files = new Jail({ fd: start.volumeFd, label: 'the volume' });
  }

  start(): void {
    this.#port.on('message', (message: ToWorker) => {
      if (message === 'close') this.#close();
      else if (message === 'rebuild') this.#makeAnew();
      else this.#take(message);
    });
    this.#guard(() => {
      this.#open();
      this.#settle();
    });
  }

  #open(): void {
    let db: DatabaseSync | undefined;
    try {
      db = openTables(this.#start.directoryFd);
    } catch (error) {
      if (!isDamaged(error)) throw error;
    }
    if (db === undefined) {
      removeDatabase(this.#files);
      db = openTables(this.#start.directoryFd);
    }
    if (db === undefined) throw new Error('a new file of another version');
    const rows = new ReelRows(db);
    this.#opened = { db, rows, work: new CatalogWork(this.#files, rows, this.#onUnlisted) };
  }

  readonly #onUnlisted = (directory: string, error: unknown): void =>
    this.#post({ type: 'unlisted', directory, error: toReelError(error).toJSON() });

  /** After it the rows are complete, or are being completed. */
  #settle(): void {
    const { rows, work } = this.#mustBeOpen();
    const { recovered, failed } = this.#start;
    this.#commit(() => work.settleAll(recovered, failed));
    if (rows.done) this.#post({ type: 'ready' });
    else this.#beginRebuild('it is new, or its last rebuild was not finished');
  }

  #beginRebuild(why: string): void {
    this.#post({ type: 'rebuilding', why });
    this.#progress = noProgress;
    this.#rebuild = this.#mustBeOpen().work.rebuild();
    setTimeout(() => this.#rebuildStep(), 0);
  }

  #rebuildStep(): void {
    const rebuild = this.#rebuild;
    if (rebuild === undefined || this.#opened === undefined) return;
    this.#guard(() => {
      const { rows } = this.#mustBeOpen();
      const began = performance.now();
      this.#commit(() => {
        for (;;) {
          const step = rebuild.next();
          if (step.done === true) {
            if (this.#mustBeOpen().work.unlisted === 0) rows.setDone();
            this.#rebuild = undefined;
            return;
          }
          const { streams, streamsDone, run } = step.value;
          this.#progress = { streams, streamsDone, reels: this.#progress.reels + run() };
          if (performance.now() - began > stepMs) return;
        }
      });
      this.#post({ type: 'progress', ...this.#progress });
      if (this.#rebuild === undefined) this.#post({ type: 'ready' });
      else setTimeout(() => this.#rebuildStep(), performance.now() - began);
    });
  }

  /** What was told before is answered first; what is told from now on goes into the new file. Only what is being deleted cannot be had from the reels. */
  #makeAnew(): void {
    this.#drain();
    const garbage = this.#garbage();
    this.#closeDatabase();
    this.#guard(() => {
      removeDatabase(this.#files);
      this.#open();
      const { rows } = this.#mustBeOpen();
      this.#commit(() => {
        for (const reel of garbage) {
          rows.setClosed(reel, { ...reel, ranges: [] });
          rows.setGarbage(reel);
        }
      });
      this.#beginRebuild('it was asked for');
    });
  }

  #garbage(): CatalogReel[] {
    try {
      return this.#opened?.rows.list({ states: ['garbage'], limit: Number.MAX_SAFE_INTEGER }) ?? [];
    } catch {
      return []; // as of a file that is damaged
    }
  }

  #take(call: CallMessage): void {
    if (this.#opened === undefined) {
      this.#refuse([call], new Error('it has failed before'));
      return;
    }
    this.#waiting.push(call);
    if (this.#waiting.length === 1) setImmediate(() => this.#drain());
  }

  #drain(): void {
    const calls = this.#waiting;
    this.#waiting = [];
    if (calls.length === 0) return;
    this.#guard(() => {
      const { work } = this.#mustBeOpen();
      const results = (): unknown[] =>
        calls.map(({ call, args }) => (work[call] as (...args: readonly unknown[]) => unknown).apply(work, [...args]));
      const answers = calls.every(({ call }) => queries.has(call)) ? results() : this.#commit(results);
      calls.forEach(({ id }, at) => {
        this.#post({ type: 'answer', id, result: answers[at] });
      });
    }, calls);
  }

  /** On a full volume the log may have no room behind its end: taken back, it begins anew on the blocks it owns. */
  #commit<T>(work: () => T): T {
    const { rows } = this.#mustBeOpen();
    try {
      return rows.transaction(work);
    } catch (error) {
      if (sqliteCode(error) !== sqliteFull) throw error;
      rows.checkpoint();
      return rows.transaction(work);
    }
  }

  #guard(work: () => void, calls: readonly CallMessage[] = []): void {
    try {
      work();
    } catch (error) {
      this.#refuse(calls, error);
      this.#broken(error);
    }
  }

  #broken(error: unknown): void {
    const wasOpen = this.#opened !== undefined;
    this.#closeDatabase();
    try {
      removeDatabase(this.#files);
      if (!wasOpen || !isDamaged(error)) throw error;
      this.#open();
      this.#beginRebuild(`SQLite: ${(error as Error).message}`);
    } catch (last) {
      this.#closeDatabase();
      this.#post({ type: 'failed', error: unavailable(last) });
      this.#refuse(this.#waiting.splice(0), last);
    }
  }

  #refuse(calls: readonly CallMessage[], error: unknown): void {
    for (const { id } of calls) this.#post({ type: 'refusal', id, error: unavailable(error) });
  }

  #mustBeOpen(): Opened {
    if (this.#opened === undefined) throw new Error('the catalog is closed');
    return this.#opened;
  }

  #closeDatabase(): void {
    const opened = this.#opened;
    this.#opened = undefined;
    this.#rebuild = undefined;
    try {
      opened?.db.close();
    } catch {
      // of a broken file; its descriptors are closed all the same
    }
  }

  #close(): void {
    this.#drain();
    this.#closeDatabase();
    this.#port.close();
  }

  #post(message: FromWorker): void {
    this.#port.postMessage(message);
  }
}

if (parentPort !== null) new CatalogWorker(parentPort, workerData as WorkerStart).start();
