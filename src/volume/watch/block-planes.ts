/**
 * Watches the block planes (luksblock) on its own, in the helper: a daemon that waits for one of them inside the kernel could not. A plane
 * that lets requests wait without doing any is cut off: its connection is aborted and it is killed, so that everything that waits gets EIO.
 */
import path from 'node:path';
import type { Logger } from 'pino';
import { run } from '../../exec/run.ts';
import { signalIfThere } from '../../exec/signal.ts';
import { abortFuse } from '../engine/fuse-abort.ts';
import {
  deviceWork,
  findPlane,
  fuseWaiting,
  loopsOn,
  mountsNow,
  type ProcessFacts,
  processFacts,
} from '../kernel-facts.ts';
import { type Mount, mountAt } from '../mountinfo.ts';
import { repeat } from '../repeat.ts';
import { ProgressClock } from './progress.ts';

export interface PlaneFacts {
  readonly pid: number | null;
  /** `gone`: its mount is there, but the process is not. */
  readonly state: 'running' | 'stopped' | 'gone';
  /** Milliseconds for which requests have waited and none was done. */
  readonly stalledMs: number;
  /** It was cut off after this long. */
  readonly abortedAfterMs: number | null;
  /** What it has open: the container, under its name of now. */
  readonly files: readonly string[];
  /** Its status line, as far as it was asked for and answered. */
  readonly status: Readonly<Record<string, unknown>> | null;
}

export interface BlockPlanesParams {
  /** Where their FUSE directories lie. */
  readonly blocks: string;
  readonly log: Logger;
  /** How long requests may wait without any being done. */
  readonly hangMs: number;
  /** Milliseconds between two looks, and between two questions to a plane, which make one that is idle and hangs visible. */
  readonly lookMs?: number;
  readonly askMs?: number;
}

interface Plane {
  readonly directory: string;
  readonly pid: number | undefined;
  stalledMs: number;
  asked: 'waiting' | 'answered';
  answers: number;
  lastAskedAt: number;
  status: Readonly<Record<string, unknown>> | null;
  abortedAfterMs: number | null;
}

/** A question outlives the abort that answers it. */
const askMarginMs = 5_000;

/** Undefined when it has ended. */
const processOf = ({ pid, directory }: Plane): ProcessFacts | undefined => {
  const found = pid === undefined ? undefined : processFacts(pid, directory);
  return found?.state === 'Z' ? undefined : found;
};

const deviceKey = (directory: string): string => `${directory}/plain`;

export class BlockPlanes {
  readonly #params: BlockPlanesParams;
  readonly #planes = new Map<string, Plane>();
  readonly #clock = new ProgressClock();
  /** How long requests may wait without any being done. */
  hangMs: number;
  #end: () => Promise<void> = async () => {};

  constructor(params: BlockPlanesParams) {
    this.#params = params;
    this.hangMs = params.hangMs;
  }

  start(): void {
    this.#end = repeat(this.#params.lookMs ?? 1000, () => this.#look());
  }

  /** The planes go on. */
  close(): Promise<void> {
    return this.#end();
  }

  /** The plane that serves `directory`: its process as of now, its work as of the last look. Undefined where nothing is mounted there. */
  facts(directory: string): PlaneFacts | undefined {
    const mount = mountAt(mountsNow(), directory);
    if (mount === undefined) return undefined;
    const plane = this.#plane(mount);
    return this.#factsOf(plane, processOf(plane));
  }

  async #look(): Promise<void> {
    const { blocks, log } = this.#params;
    try {
      const mounts = mountsNow().filter(({ point }) => path.dirname(point) === blocks);
      for (const directory of this.#planes.keys()) {
        if (!mounts.some(({ point }) => point === directory)) this.#forget(directory);
      }
      for (const mount of mounts) await this.#lookAt(mount);
    } catch (err) {
      log.warn({ err }, 'a look at the block planes failed');
    }
  }

  #forget(directory: string): void {
    this.#planes.delete(directory);
    this.#forgetWork(directory);
  }

  #forgetWork(directory: string): void {
    this.#clock.forget(directory);
    this.#clock.forget(deviceKey(directory));
  }

  async #lookAt(mount: Mount): Promise<void> {
    const { point, device } = mount;
    const plane = this.#plane(mount);
    const alive = processOf(plane) !== undefined;
    const work = loopsOn(path.join(point, 'plain')).map(deviceWork);
    const waiting = work.reduce((sum, each) => sum + each.waiting, 0);
    const done = work.map((each) => each.done).join(' ');
    const asked = fuseWaiting(device) > waiting || plane.asked === 'waiting';
    const now = performance.now();
    // The data on its own: a plane may answer every question and keep a single request, which all that comes later waits behind.
    const data = this.#clock.look(deviceKey(point), { pending: alive && waiting > 0, done }, now);
    const all = this.#clock.look(point, { pending: alive && asked, done: `${plane.answers} ${done}` }, now);
    plane.stalledMs = Math.max(data, all);
    if (!alive) return;
    if (plane.stalledMs >= this.hangMs && plane.abortedAfterMs === null) await this.#abort(plane);
    else if (plane.asked === 'answered' && now - plane.lastAskedAt >= (this.#params.askMs ?? 5000))
      this.#ask(plane, now);
  }

  /** The next plane of the same container uses the directory again, and the kernel numbers of mounts: only its process tells them apart. */
  #plane({ point }: Mount): Plane {
    const known = this.#planes.get(point);
    if (known !== undefined && known.abortedAfterMs === null && processOf(known) !== undefined) return known;
    const pid = findPlane(point);
    if (known !== undefined && (pid === undefined || pid === known.pid)) return known;
    this.#forgetWork(point);
    const plane: Plane = {
      ...{ directory: point, pid, stalledMs: 0, asked: 'answered', answers: 0 },
      ...{ lastAskedAt: Number.NEGATIVE_INFINITY, status: null, abortedAfterMs: null },
    };
    this.#planes.set(point, plane);
    return plane;
  }

  #factsOf(plane: Plane, process: ProcessFacts | undefined): PlaneFacts {
    const { pid, stalledMs, abortedAfterMs, status } = plane;
    const stopped = process?.state === 'T' || process?.state === 't';
    return {
      pid: pid ?? null,
      state: process === undefined ? 'gone' : stopped ? 'stopped' : 'running',
      ...{ stalledMs, abortedAfterMs, files: process?.files ?? [], status },
    };
  }

  /** By a process of its own, which nobody waits for: it hangs as long as the plane does. */
  #ask(plane: Plane, now: number): void {
    plane.asked = 'waiting';
    plane.lastAskedAt = now;
    const file = path.join(plane.directory, 'status');
    void run('cat', [file], { timeoutMs: this.hangMs + askMarginMs })
      .then(({ stdout }) => {
        plane.status = JSON.parse(stdout.toString()) as Readonly<Record<string, unknown>>;
      })
      .catch(() => {
        // no answer, or one cut short: what is known of it stays as old as it is
      })
      .finally(() => {
        plane.asked = 'answered';
        plane.answers += 1;
      });
  }

  /** To kill is enough for a process that was stopped. One that waits for its own disk inside the kernel survives that, and keeps the connection. */
  async #abort(plane: Plane): Promise<void> {
    const { directory, pid, stalledMs } = plane;
    plane.abortedAfterMs = Math.round(stalledMs);
    this.#params.log.error({ directory, pid, stalledMs }, 'a block plane hangs: cutting it off');
    if (pid !== undefined && processOf(plane) !== undefined) signalIfThere(pid, 'SIGKILL');
    await abortFuse(directory).catch((err: unknown) => {
      this.#params.log.error({ err, directory }, 'the connection of a block plane could not be aborted');
    });
  }
}
