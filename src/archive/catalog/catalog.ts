/**
 * What a volume holds, one row a reel, in `.reelvault/catalog.sqlite`; docs/catalog.md. Rebuildable from the reels and never the truth (I3):
 * whoever asks while it is not `ready` goes to the reels. A thread of its own does all that waits for a disk.
 */
import { closeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { errorFromWire, ReelError } from '../../errors.ts';
import type { VolumeFiles } from '../volume-files.ts';
import type { CatalogReel, RangePiece, ReelKey, ReelQuery, StreamTotals } from './catalog-reel.ts';
import type { CatalogCall, CatalogCalls } from './catalog-work.ts';
import { openCatalogDirectory } from './schema.ts';
import type { FromWorker, RebuildProgress, WorkerStart } from './worker-messages.ts';

/** `failed` until a rebuild, or until the volume is attached anew. */
export type CatalogState = 'starting' | 'rebuilding' | 'ready' | 'failed' | 'closed';

export interface CatalogParams {
  /** Must stay open until `close` has resolved. */
  readonly files: VolumeFiles;
  /** Streams that a recovery has changed since the volume was in use, and those it could not make whole. */
  readonly recovered?: readonly string[];
  readonly failed?: readonly string[];
  /** Hears of a directory of a stream that cannot be read, each time it was to be. What is in it is in no row. */
  readonly onUnlisted?: (directory: string, error: ReelError) => void;
  /** Hears of each change; `why` of `rebuilding`, `error` of `failed`. */
  readonly onState?: (state: CatalogState, reason: { readonly why?: string; readonly error?: ReelError }) => void;
}

/** How long a close waits for a disk that does not answer. The thread then ends when its disk lets it. */
const closeMs = 10_000;

/** How long a publisher waits for the catalog at most; its first segment takes about as long to become durable. */
const beganMs = 1000;

const heapMiB = 64;

/** A rebuild: the one under way, or the last one since the volume was opened. */
export interface CatalogRebuild extends RebuildProgress {
  readonly why: string;
}

/** Resolves with `done`, or after `ms`. */
const within = async (ms: number, done: Promise<void>): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const limit = setTimeout(resolve, ms);
  await Promise.race([done, promise]);
  clearTimeout(limit);
};

interface Asked {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: ReelError) => void;
}

export class Catalog {
  readonly #params: CatalogParams;
  readonly #asked = new Map<number, Asked>();
  /** Streams that are being recorded, and the hour of their newest reel. */
  readonly #sessions = new Map<string, number | undefined>();
  #state: CatalogState = 'starting';
  #worker: Worker | undefined;
  #ended: Promise<void> = Promise.resolve();
  #rebuild: CatalogRebuild | undefined;
  #error: ReelError | undefined;
  /** Resolves when the thread has told of another state. */
  #changed = Promise.withResolvers<void>();
  #lastId = 0;
  #closed: Promise<void> | undefined;

  constructor(params: CatalogParams) {
    this.#params = params;
  }

  get state(): CatalogState {
    return this.#state;
  }

  get lastRebuild(): CatalogRebuild | undefined {
    return this.#rebuild;
  }

  /** Why it is `failed`. */
  get error(): ReelError | undefined {
    return this.#state === 'failed' ? this.#error : undefined;
  }

  /**
   * Throws the database away, also a failed one, and resolves when it is being made anew from the reels. One that is being made goes on.
   * `catalog-unavailable` where the thread has ended.
   */
  async rebuild(): Promise<void> {
    if (this.#state === 'starting' || this.#state === 'rebuilding') return;
    const changed = this.#changed.promise;
    if (this.#closed === undefined) this.#worker?.postMessage('rebuild'); // nobody hears it where the thread has ended
    await Promise.race([changed, this.#ended]);
    if (this.#state === 'failed' || this.#state === 'closed')
      throw this.#error ?? this.#unavailable(new Error(`one that is ${this.#state}`));
  }

  /** Returns at once; the work begins in the thread. What cannot be started is `failed`. */
  start(): void {
    let directoryFd: number;
    const { files, recovered = [], failed = [] } = this.#params;
    try {
      directoryFd = openCatalogDirectory(files);
    } catch (error) {
      this.#fail(this.#unavailable(error));
      return;
    }
    const workerData: WorkerStart = { volumeFd: files.fd, directoryFd, recovered, failed };
    const worker = new Worker(new URL('./catalog-worker.ts', import.meta.url), {
      workerData,
      name: 'catalog',
      trackUnmanagedFds: false, // the jail's are closed by their owners
      resourceLimits: { maxOldGenerationSizeMb: heapMiB },
    });
    this.#worker = worker;
    this.#ended = new Promise((resolve) => {
      worker.once('exit', () => {
        closeSync(directoryFd);
        this.#fail(this.#unavailable(new Error('its thread has ended')));
        resolve();
      });
    });
    worker.on('message', (message: FromWorker) => this.#hear(message));
    worker.on('error', (error) => this.#fail(this.#unavailable(error)));
  }

  /**
   * A session begins: resolves when a crash from now on makes the next start look at the stream's newest reels, or when that takes too long.
   * Never rejects.
   */
  async began(stream: string): Promise<void> {
    this.#sessions.set(stream, undefined);
    await within(beganMs, this.#tell('began', stream));
  }

  /** Segments of this hour became durable. */
  durable(stream: string, hour: number): void {
    const former = this.#sessions.get(stream);
    if (former === hour) return;
    this.#sessions.set(stream, hour);
    void this.#tell('opened', { stream, hour });
    if (former !== undefined) void this.#tell('closed', { stream, hour: former });
  }

  /** The session is over. Not `clean`: what its last reel holds shows after a recovery. Never rejects. */
  async ended(stream: string, clean: boolean): Promise<void> {
    const hour = this.#sessions.get(stream);
    this.#sessions.delete(stream);
    if (clean) await this.#tell('ended', stream, hour);
  }

  /** The files of a reel without a writer were changed: by a recovery, or by hand. Never rejects. */
  async changed(reel: ReelKey): Promise<void> {
    await this.#tell('closed', reel);
  }

  /** Reels in order of age, the oldest hour first, page by page; those of one hour in an order that stays. `catalog-unavailable` while not every reel has a row. */
  list(query: ReelQuery): Promise<CatalogReel[]> {
    return this.#ask('list', query);
  }

  /** As `list`. What the streams take, by name. */
  totals(): Promise<StreamTotals[]> {
    return this.#ask('totals');
  }

  /**
   * Step 1 of deleting (I3): resolves with those of the reels that are garbage now, durably, and are answered by nothing any more. Open ones
   * and unknown ones are not among them, and must stay.
   */
  markGarbage(reels: readonly ReelKey[]): Promise<ReelKey[]> {
    return this.#ask('markGarbage', reels);
  }

  /** The last step of deleting: no row is left of a reel whose index is gone. One that was kept after all is closed again, one recorded anew stays open. */
  drop(reels: readonly ReelKey[]): Promise<void> {
    return this.#ask('drop', reels);
  }

  /** The recorded time of the hours from `firstHour` to `lastHour` that touches `[fromUs, toUs)`; `undefined` where the reels must be asked. */
  async ranges(
    stream: string,
    firstHour: number,
    lastHour: number,
    fromUs: number,
    toUs: number,
  ): Promise<RangePiece[] | undefined> {
    if (this.#state !== 'ready') return undefined;
    return this.#call('ranges', stream, firstHour, lastHour, fromUs, toUs).catch(() => undefined);
  }

  /** Everything told is on disk, and no file of the volume is open. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const worker = this.#worker;
    if (worker !== undefined) {
      worker.postMessage('close');
      await within(closeMs, this.#ended);
      void worker.terminate();
    }
    this.#state = 'closed';
  }

  #ask<K extends CatalogCall>(call: K, ...args: Parameters<CatalogCalls[K]>): Promise<ReturnType<CatalogCalls[K]>> {
    if (this.#state === 'ready') return this.#call(call, ...args);
    return Promise.reject(this.#unavailable(new Error(`one that is ${this.#state}`)));
  }

  /** The catalog may lag or be lost: no reason to keep a recording from going on. What was not taken is found by the next rebuild. */
  async #tell<K extends CatalogCall>(call: K, ...args: Parameters<CatalogCalls[K]>): Promise<void> {
    await this.#call(call, ...args).catch(() => {});
  }

  #call<K extends CatalogCall>(call: K, ...args: Parameters<CatalogCalls[K]>): Promise<ReturnType<CatalogCalls[K]>> {
    const worker = this.#worker;
    if (worker === undefined || this.#state === 'failed' || this.#closed !== undefined)
      return Promise.reject(this.#unavailable(new Error(`one that is ${this.#state}`)));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve: resolve as Asked['resolve'], reject });
      worker.postMessage({ id, call, args });
    });
  }

  #hear(message: FromWorker): void {
    if (message.type === 'answer' || message.type === 'refusal') {
      const asked = this.#asked.get(message.id);
      this.#asked.delete(message.id);
      if (message.type === 'answer') asked?.resolve(message.result);
      else asked?.reject(errorFromWire(message.error));
    } else if (message.type === 'failed') this.#fail(errorFromWire(message.error));
    else if (message.type === 'progress') this.#far(message);
    else if (message.type === 'unlisted') this.#params.onUnlisted?.(message.directory, errorFromWire(message.error));
    else if (message.type === 'ready') {
      if (this.#rebuild !== undefined) this.#far({ ...this.#rebuild, streamsDone: this.#rebuild.streams });
      this.#enter('ready', {});
    } else {
      this.#rebuild = { why: message.why, streams: 0, streamsDone: 0, reels: 0 };
      this.#enter('rebuilding', { why: message.why });
      for (const [stream, hour] of this.#sessions) {
        void this.#tell('began', stream);
        if (hour !== undefined) void this.#tell('opened', { stream, hour });
      }
    }
  }

  #enter(state: CatalogState, reason: { readonly why?: string; readonly error?: ReelError }): void {
    this.#state = state;
    this.#params.onState?.(state, reason);
    this.#tellChange();
  }

  #far({ streams, streamsDone, reels }: RebuildProgress): void {
    if (this.#rebuild !== undefined) this.#rebuild = { ...this.#rebuild, streams, streamsDone, reels };
  }

  #tellChange(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #fail(error: ReelError): void {
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
    this.#error = error;
    if (this.#state !== 'failed' && this.#closed === undefined) this.#enter('failed', { error });
    else this.#tellChange();
  }

  #unavailable(cause: unknown): ReelError {
    return new ReelError('catalog-unavailable', {
      expected: 'a complete catalog of the volume',
      got: cause instanceof Error ? cause.message : String(cause),
      hint: 'recording and playback go on without it',
      cause,
    });
  }
}
