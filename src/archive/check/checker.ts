/** Checks of open volumes, one a volume at a time, each in a thread of its own. */
import { Worker } from 'node:worker_threads';
import { errorFromWire, ReelError } from '../../errors.ts';
import type { VolumeArchive } from '../archive.ts';
import type { CheckLevel, Finding } from './findings.ts';
import type { CheckOrder, FromWorker, Limit } from './protocol.ts';
import type { CheckProgress } from './volume-check.ts';

export interface CheckOptions {
  readonly level: CheckLevel;
  /** Only this stream. */
  readonly stream?: string | undefined;
  /** Most bytes read in a second. */
  readonly bytesPerSecond: number;
}

export interface CheckView extends CheckProgress {
  readonly volume: string;
  /** `stopped`: asked to, or the volume was locked. `failed`: `problem` says why. */
  readonly state: 'running' | 'done' | 'stopped' | 'failed';
  readonly level: CheckLevel;
  readonly stream: string | null;
  /** Unix milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number | null;
  /** About as many were read. */
  readonly bytes: number;
  readonly damage: number;
  readonly notices: number;
  /** The first of them; `damage` and `notices` count all. */
  readonly findings: readonly Finding[];
  readonly problem: string | null;
}

export interface CheckerParams {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Public keys for evidence, PEM, of this service. */
  readonly publicKeys: () => readonly string[];
  /** Most findings that are kept of one check. */
  readonly keep?: number;
  /** Called once a check has ended. */
  readonly onEnd?: (view: CheckView) => void;
}

/** A thread that hangs in the storage is not waited for longer; it ends when the storage does. */
const stopWithinMs = 5_000;

interface Job {
  view: CheckView;
  readonly stop: Int32Array;
  readonly ended: Promise<void>;
}

export class ArchiveChecker {
  readonly #params: CheckerParams;
  readonly #jobs = new Map<string, Job>();

  constructor(params: CheckerParams) {
    this.#params = params;
  }

  /** Resolves when the check is under way. `volume-busy` while one is. `not-found` for a stream that the volume has no recordings of. */
  async start(volume: string, archive: VolumeArchive, options: CheckOptions): Promise<CheckView> {
    const { level, stream, bytesPerSecond } = options;
    if (this.#jobs.get(volume)?.view.state === 'running')
      throw new ReelError('volume-busy', {
        expected: `no check of the volume ${volume} under way`,
        got: 'one that runs',
        hint: 'wait for it, or stop it with DELETE',
        details: { volume },
      });
    if (stream !== undefined && !archive.streams().includes(stream))
      throw new ReelError('not-found', { expected: `recordings of a stream in the volume ${volume}`, got: stream });
    const stop = new SharedArrayBuffer(4);
    const publicKeys = this.#params.publicKeys();
    const order: CheckOrder = { dirFd: archive.files.fd, level, stream, bytesPerSecond, stop, publicKeys };
    const worker = new Worker(new URL('worker.ts', import.meta.url), {
      workerData: order,
      execArgv: [],
      // Its descriptors are those of openat2, which Node does not know; the worker closes them itself.
      trackUnmanagedFds: false,
    });
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const view: CheckView = {
      volume,
      state: 'running',
      level,
      stream: stream ?? null,
      startedAt: this.#params.now(),
      endedAt: null,
      ...{
        streams: 0,
        streamsDone: 0,
        reels: 0,
        at: null,
        bytes: 0,
        damage: 0,
        notices: 0,
        findings: [],
        problem: null,
      },
    };
    const job: Job = { view, stop: new Int32Array(stop), ended };
    this.#jobs.set(volume, job);
    // Until it has its own descriptor of the volume, that of the archive must stay open: the caller awaits this.
    const ready = Promise.withResolvers<void>();
    worker.on('message', (message: FromWorker) => {
      if (message.type === 'ready') ready.resolve();
      else if (message.type === 'limit')
        worker.postMessage({ limitUs: archive.shownUpTo(message.stream) } satisfies Limit);
      else this.#take(job, message);
    });
    worker.on('error', (error) => this.#end(job, 'failed', String(error)));
    worker.once('exit', () => {
      if (job.view.state === 'running') this.#end(job, 'failed', 'its thread ended');
      ready.resolve();
      resolve();
    });
    await ready.promise;
    return job.view;
  }

  /** The check that runs, or the last one since the start of the service. `not-found` without. */
  view(volume: string): CheckView {
    const job = this.#jobs.get(volume);
    if (job !== undefined) return job.view;
    throw new ReelError('not-found', {
      expected: `a check of the volume ${volume}`,
      got: 'none since the start of the service',
      hint: 'begin one: `reelvault check`',
    });
  }

  /** Ends the check of a volume, if one runs, and resolves when nothing of it is open; after five seconds in any case. */
  async stop(volume: string): Promise<void> {
    const job = this.#jobs.get(volume);
    if (job === undefined) return;
    Atomics.store(job.stop, 0, 1);
    Atomics.notify(job.stop, 0);
    const timer = new AbortController();
    const late = new Promise<void>((resolve) => {
      const timeout = setTimeout(resolve, stopWithinMs);
      timer.signal.addEventListener('abort', () => clearTimeout(timeout));
    });
    await Promise.race([job.ended, late]);
    timer.abort();
  }

  /** Ends all. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([...this.#jobs.keys()].map((volume) => this.stop(volume)));
  }

  #take(job: Job, message: FromWorker): void {
    if (message.type === 'progress') job.view = { ...job.view, ...message.progress, bytes: message.bytes };
    else if (message.type === 'finding') this.#found(job, message.finding);
    else if (message.type === 'end')
      this.#end(job, message.state, message.state === 'failed' ? errorFromWire(message.error).message : null);
  }

  #found(job: Job, finding: Finding): void {
    const { damage, notices, findings } = job.view;
    const count = finding.severity === 'damage' ? { damage: damage + 1 } : { notices: notices + 1 };
    const kept = findings.length < (this.#params.keep ?? 1000) ? [...findings, finding] : findings;
    job.view = { ...job.view, ...count, findings: kept };
  }

  #end(job: Job, state: 'done' | 'stopped' | 'failed', problem: string | null): void {
    if (job.view.state !== 'running') return;
    job.view = { ...job.view, state, problem, at: null, endedAt: this.#params.now() };
    this.#params.onEnd?.(job.view);
  }
}
