/** A place on disk with a datapath of its own, and real helper processes that serve it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { run } from '../../src/exec/run.ts';
import { HelperClient } from '../../src/helper/client.ts';
import type { Requests } from '../../src/helper/protocol.ts';
import { helperSocket } from '../../src/helper/start.ts';
import { Luks } from '../../src/luks/luks.ts';
import type { Engine } from '../../src/volume/engine/engine.ts';
import { KernelEngine } from '../../src/volume/engine/kernel-engine.ts';
import { attachedLoops, detachLoop } from '../../src/volume/engine/loop.ts';
import { UserspaceEngine } from '../../src/volume/engine/userspace-engine.ts';
import { readMounts } from '../../src/volume/mountinfo.ts';
import type { EngineName } from '../../src/volume/states.ts';
import type { Unattended } from '../../src/volume/unlock/way.ts';

export const luksblock = path.resolve(import.meta.dirname, '../../build/Release/luksblock');
/** Nobody's on any machine: an account need not exist to own files. */
export const service = { uid: 64_123, gid: 64_124 };
export const size = 64 * 1024 * 1024;
export const nothing = Buffer.alloc(0);

export interface HarnessParams {
  readonly datapath: readonly string[];
  readonly runtime: string;
  readonly service: typeof service;
  readonly unattended?: Unattended;
  /** Block devices that may be containers. */
  readonly devices?: readonly string[];
  readonly crashAfter?: string;
  /** What happens to the machine right after a step. */
  readonly commandAfter?: { readonly step: string; readonly command: string };
  /** Of `step-plan.ts`. */
  readonly plan?: { readonly directory: string; readonly root: string };
  /** A file that gets a line `step NAME` for each step. */
  readonly stepsTo?: string;
  readonly watch: { readonly hangMs: number; readonly lookMs: number; readonly askMs: number };
}

export interface Helper {
  readonly pid: number;
  readonly client: HelperClient;
  /** The signal or exit code it ended with. */
  readonly ended: Promise<string | number>;
  stop(): Promise<void>;
}

/** What is attached, mounted or running of a place. */
export interface Leftovers {
  readonly loops: readonly string[];
  readonly mounts: readonly string[];
  readonly processes: readonly string[];
}

const commandLines = async (): Promise<{ pid: number; line: string }[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const read = (pid: number): Promise<string> => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return Promise.all(pids.map(async (pid) => ({ pid, line: (await read(pid)).replaceAll('\0', ' ') })));
};

export const nothingLeft: Leftovers = { loops: [], mounts: [], processes: [] };

export class Place {
  readonly root: string;
  readonly storage: string;
  readonly mounts: string;
  readonly runtime: string;
  readonly #children: ChildProcess[] = [];

  constructor(root: string) {
    this.root = root;
    this.storage = path.join(root, 'storage');
    this.mounts = path.join(root, 'mount');
    this.runtime = path.join(root, 'run');
  }

  static async make(): Promise<Place> {
    const place = new Place(await mkdtemp(path.join(tmpdir(), 'reelvault-volume-')));
    for (const directory of [place.storage, place.mounts, place.runtime]) await mkdir(directory);
    return place;
  }

  container(name: string): string {
    return path.join(this.storage, 'containers', `${name}.luks`);
  }

  async helper(more: Partial<HarnessParams> = {}, env: Readonly<Record<string, string>> = {}): Promise<Helper> {
    const params: HarnessParams = {
      ...{ datapath: [this.storage, this.mounts], runtime: this.runtime, service },
      watch: { hangMs: 30_000, lookMs: emulated ? 1000 : 50, askMs: emulated ? 5000 : 200 },
      ...more,
    };
    const main = path.join(import.meta.dirname, 'harness-main.ts');
    const child = spawn(process.execPath, [main, JSON.stringify(params)], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, ...env },
    });
    this.#children.push(child);
    const ended = once(child, 'exit').then(([code, signal]) => (signal ?? code) as string | number);
    const [first] = await Promise.race([once(child.stdout, 'data'), ended.then((how) => [`ended with ${how}`])]);
    assert.equal(String(first), 'ready\n');
    const stop = async (): Promise<void> => {
      child.kill('SIGTERM');
      await ended;
    };
    return { pid: child.pid ?? 0, client: new HelperClient({ socketPath: helperSocket(this.runtime) }), ended, stop };
  }

  /** A helper for as long as `work` takes. */
  async withHelper<T>(work: (helper: Helper) => Promise<T>, more: Partial<HarnessParams> = {}): Promise<T> {
    const helper = await this.helper(more);
    try {
      return await work(helper);
    } finally {
      await helper.stop();
    }
  }

  async leftovers(): Promise<Leftovers> {
    const inside = (text: string): boolean => text.includes(`${this.root}/`);
    return {
      loops: (await attachedLoops()).map((loop) => loop.backingFile).filter(inside),
      mounts: (await readMounts()).map((mount) => mount.point).filter(inside),
      processes: (await commandLines())
        .filter(({ line }) => line.includes('luksblock') && inside(line))
        .map(({ line }) => line),
    };
  }

  /** Ends and takes away everything, however the test ended: by force, and without the code under test where that is possible. */
  async destroy(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
    const quiet = { timeoutMs: 30_000, okCodes: Array.from({ length: 256 }, (_, code) => code) };
    // A test that failed may still hold a file of the volume open itself: that mount goes when this process does.
    for (const how of [[], ['--lazy']]) {
      const mounted = (await this.leftovers()).mounts.toReversed().filter((each) => !each.includes('/run/block/'));
      for (const point of mounted) await run('umount', [...how, point], quiet);
    }
    for (const name of await mappings(this.root)) await run('cryptsetup', ['close', name], quiet);
    for (const loop of await attachedLoops()) {
      // one that is still in use is gone with its last user
      if (loop.backingFile.includes(`${this.root}/`)) await detachLoop(loop).catch(() => undefined);
    }
    for (const point of (await this.leftovers()).mounts.toReversed()) await run('umount', ['--lazy', point], quiet);
    for (const { pid, line } of await commandLines()) {
      if (line.includes('luksblock') && line.includes(`${this.root}/`)) process.kill(pid, 'SIGKILL');
    }
    await run('chattr', ['-R', '-i', this.root], quiet);
    await rm(this.root, { recursive: true, force: true });
  }
}

/** Names of our mappings that lie on a loop device of this place. */
const mappings = async (root: string): Promise<string[]> => {
  const loops = (await attachedLoops()).filter((loop) => loop.backingFile.includes(`${root}/`));
  const names: string[] = [];
  for (const loop of loops) {
    const holders = await readdir(`/sys/block/${path.basename(loop.path)}/holders`);
    for (const holder of holders) names.push((await readFile(`/sys/block/${holder}/dm/name`, 'utf8')).trim());
  }
  return names;
};

export const createRequest = (engine: EngineName, more: Partial<Requests['create']> = {}): Requests['create'] => ({
  ...{ verb: 'create', name: 'v', size, engine, type: 'luks2', key: 'keyFile', open: false },
  ...more,
});

export const openRequest = (engine: EngineName, more: Partial<Requests['open']> = {}): Requests['open'] => ({
  ...{ verb: 'open', name: 'v', engine, key: 'keyFile' },
  ...more,
});

/**
 * In the virtual machine of test/vm, where every instruction is emulated and takes about ten times longer. A suite that runs one case after
 * another takes a part of them there: `shorter(cases)`.
 */
export const emulated = process.env.REELVAULT_TEST_EMULATED === '1';

/** All cases; under emulation every `step`-th and the last. What the others would prove there, they prove on the host with the other engine. */
export const shorter = <T>(cases: readonly T[], step = 3): readonly T[] =>
  emulated ? cases.filter((_, index) => index % step === 0 || index === cases.length - 1) : cases;

const luks = new Luks();
const engines: readonly Engine[] = [
  new UserspaceEngine({ program: luksblock, blocks: '/nowhere', luks }),
  new KernelEngine({ luks }),
];

export const usableEngines = async (): Promise<EngineName[]> => {
  const probed = await Promise.all(engines.map(async (engine) => ({ name: engine.name, ...(await engine.probe()) })));
  return probed.filter(({ usable }) => usable).map(({ name }) => name);
};

/**
 * Declares the suite once for each engine. One that this machine cannot run counts as one skipped test that says why; test/vm/volume.test.ts
 * runs every file of test/volume that calls this again, with the kernel engine, on a kernel that has it.
 */
export const describeEngines = async (title: string, declare: (engine: EngineName) => void): Promise<void> => {
  for (const engine of engines) {
    const probe = await engine.probe();
    if (probe.usable) describe(`${title}, ${engine.name} engine`, () => declare(engine.name));
    else test(`${title}, ${engine.name} engine`, { skip: probe.reason }, () => {});
  }
};
