/** A place with the real daemon and a real helper, either of which may be killed and started again. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, open, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureAdmin } from '../../../src/auth/admin-store.ts';
import { AdminClient } from '../../../src/cli/client.ts';
import { toReelError } from '../../../src/errors.ts';
import type { VolumeView } from '../../../src/http/volumes.ts';
import type { EngineName } from '../../../src/volume/states.ts';
import { type Helper, nothingLeft, Place } from '../../helper/harness.ts';
import { type Kill, StepPlan, type Victim } from '../../helper/step-plan.ts';

const daemonMain = path.resolve(import.meta.dirname, '../../../src/main.ts');
const settleMs = 30_000;

/** What the daemon says of a volume: its state and, where it failed, the error's code; `gone` for one that it does not know. */
export interface Seen {
  readonly state: VolumeView['state'] | 'gone';
  readonly code?: string | undefined;
  readonly nextStep?: string | undefined;
}

export const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

export class Ground {
  readonly engine: EngineName;
  readonly place: Place;
  readonly plan: StepPlan;
  readonly client: AdminClient;
  #helper: Helper | undefined;
  #daemon: { readonly child: ChildProcess; readonly ended: Promise<unknown> } | undefined;

  private constructor(engine: EngineName, place: Place) {
    this.engine = engine;
    this.place = place;
    this.plan = new StepPlan(path.join(place.root, 'plan'));
    this.client = new AdminClient({ runtime: place.runtime });
  }

  static async make(engine: EngineName): Promise<Ground> {
    const ground = new Ground(engine, await Place.make());
    try {
      for (const name of ['state', 'tmp']) await mkdir(path.join(ground.place.root, name));
      await ensureAdmin(path.join(ground.place.root, 'state'));
      await ground.revive();
      return ground;
    } catch (error) {
      await ground.close();
      throw error;
    }
  }

  /** Starts what is not running: a helper, a daemon. */
  async revive(): Promise<void> {
    if (this.#helper === undefined) {
      const helper = await this.place.helper({ plan: { directory: this.plan.directory, root: this.place.root } });
      this.#helper = helper;
      void helper.ended.then(() => (this.#helper = undefined));
    }
    if (this.#daemon === undefined) await this.#startDaemon();
  }

  /** The daemon as its supervisor starts it, but for the user and the confinement. */
  async #startDaemon(): Promise<void> {
    const { root, storage, mounts, runtime } = this.place;
    const log = openSync(path.join(root, 'daemon.log'), 'a');
    const child = spawn(process.execPath, [daemonMain], {
      stdio: ['pipe', 'pipe', log],
      env: {
        PATH: process.env.PATH,
        TMPDIR: path.join(root, 'tmp'),
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
        REELVAULT_DATAPATH: `${storage}:${mounts}`,
        REELVAULT_STATE: path.join(root, 'state'),
        REELVAULT_RUNTIME: runtime,
        REELVAULT_LISTEN: '127.0.0.1:0',
      },
    });
    closeSync(log);
    assert.ok(child.stdout !== null);
    const ended = once(child, 'exit');
    this.#daemon = { child, ended };
    void ended.then(() => (this.#daemon = undefined));
    const lines = createInterface({ input: child.stdout });
    const [line] = (await Promise.race([once(lines, 'line'), ended.then((how) => [`ended with ${String(how)}`])])) as [
      string,
    ];
    assert.ok(line.startsWith('{"ready":true'), line);
  }

  /** The kill of this victim. */
  killing(victim: Victim): Omit<Kill, 'step' | 'nth'> {
    if (victim === 'luksblock') return { planesOf: this.place.root };
    return victim === 'helper' ? {} : { pid: this.#daemon?.child.pid ?? Number.NaN };
  }

  /** Waits until the victim is known to have ended. */
  async buried(victim: Victim): Promise<void> {
    if (victim === 'helper') await this.#helper?.ended;
    if (victim === 'daemon') await this.#daemon?.ended;
  }

  url(name: string, below = ''): string {
    return `/volumes/${name}${below}`;
  }

  view(name: string): Promise<VolumeView> {
    return this.client.get<VolumeView>(this.url(name));
  }

  async seen(name: string): Promise<Seen> {
    try {
      const { state, failure } = await this.view(name);
      return { state, code: failure?.error.code, nextStep: failure?.nextStep };
    } catch (thrown) {
      if (toReelError(thrown).code === 'not-found') return { state: 'gone' };
      throw thrown;
    }
  }

  /** Waits until the volume is in one of these states (`failed` with its code: `failed:io-error`) and the kernel agrees. */
  async settled(name: string, right: readonly string[]): Promise<Seen> {
    const deadline = Date.now() + settleMs;
    for (;;) {
      const seen = await this.seen(name);
      const { state, code } = seen;
      const isRight = right.includes(state === 'failed' ? `failed:${code}` : state);
      const lie = isRight ? await this.#lie(name, seen) : undefined;
      if (isRight && lie === undefined) return seen;
      if (Date.now() > deadline)
        assert.fail(
          `expected ${right.join(' or ')}, got ${JSON.stringify(seen)}${lie === undefined ? '' : `: ${lie}`}`,
        );
      await sleep(100);
    }
  }

  /** What the kernel has that does not go with the state, or a failure that does not say what to do; undefined when all is right. */
  async #lie(name: string, { state, nextStep }: Seen): Promise<string | undefined> {
    const left = await this.place.leftovers();
    const mounted = left.mounts.includes(this.mountPoint(name));
    if (state === 'open') return mounted ? undefined : 'nothing is mounted';
    if (state === 'failed') return (nextStep ?? '') === '' ? 'no next step' : undefined;
    const pieces = [...left.loops, ...left.mounts, ...left.processes];
    return pieces.length === 0 ? undefined : `there is ${pieces.join(', ')}`;
  }

  mountPoint(name: string): string {
    return path.join(this.place.mounts, name);
  }

  /** Writes a file of an open volume, durable when it returns. Gives its digest. */
  async write(name: string, file: string, bytes: Buffer): Promise<string> {
    for (const [at, content] of [
      [file, bytes],
      ['.', undefined],
    ] as const) {
      const handle = await open(path.join(this.mountPoint(name), 'dvr', at), content === undefined ? 'r' : 'w');
      try {
        if (content !== undefined) await handle.writeFile(content);
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
    return digestOf(bytes);
  }

  async read(name: string, file: string): Promise<string> {
    return digestOf(await readFile(path.join(this.mountPoint(name), 'dvr', file)));
  }

  /** Nothing is attached, mounted or running. A block plane lets go of everything a moment before its process is gone. */
  async nothingLeft(): Promise<void> {
    for (let round = 0; round < 100 && (await this.place.leftovers()).processes.length > 0; round += 1) await sleep(20);
    assert.deepEqual(await this.place.leftovers(), nothingLeft);
  }

  /**
   * Every file below datapath, runtime and temporary directory. Header backups count as one a place: up to three with the keys of now are
   * meant to be kept, and a call that is made twice makes one more. Nothing may be mounted.
   */
  async files(): Promise<string[]> {
    const { root } = this.place;
    const trees = ['storage', 'mount', 'run', 'tmp'].map(async (tree) =>
      (await readdir(path.join(root, tree), { recursive: true })).map((file) => path.join(tree, file)),
    );
    const hidden = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[^/]*\.img$/;
    return (await Promise.all(trees))
      .flat()
      .map((file) => file.replace(hidden, '<backup>'))
      .filter((file, index, all) => all.indexOf(file) === index)
      .sort();
  }

  async close(): Promise<void> {
    this.#daemon?.child.kill('SIGKILL');
    await this.#daemon?.ended;
    await this.place.destroy();
  }
}
