/** A place with a helper whose system calls can be made to fail, and the volumes that operations are tried on. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reply } from '../../src/helper/client.ts';
import type { Requests, Verb } from '../../src/helper/protocol.ts';
import type { EngineName } from '../../src/volume/states.ts';
import { createRequest, type Helper, openRequest, Place } from '../helper/harness.ts';
import { FaultControl } from './control.ts';

/** Bytes of a container: as small as may be, because each is written many times. */
export const small = 48 * 1024 * 1024;
const proofBytes = 300_000;

/** Everything that a failed call could leave. */
export interface Census {
  readonly loops: readonly string[];
  readonly mounts: readonly string[];
  readonly processes: readonly string[];
  /** Names without what differs each time; those of header backups once, however many there are. */
  readonly files: readonly string[];
}

export class Ground {
  readonly place: Place;
  readonly control: FaultControl;
  readonly engine: EngineName;
  readonly #directory: string;
  readonly #proofs = new Map<string, string>();
  #helper: Helper | undefined;
  #atStart = 0;

  private constructor(place: Place, control: FaultControl, engine: EngineName, directory: string) {
    this.place = place;
    this.control = control;
    this.engine = engine;
    this.#directory = directory;
  }

  /** `hangMs`: when the watch cuts a block plane off that hangs. Long enough for its questions to count as time limits (time-limits.ts). */
  static async make(engine: EngineName, hangMs = 5_000): Promise<Ground> {
    const place = await Place.make();
    const directory = await mkdtemp(path.join(tmpdir(), 'reelvault-fault-'));
    const control = await FaultControl.make(directory, [`${place.root}/`]);
    const ground = new Ground(place, control, engine, directory);
    const watch = { hangMs, lookMs: 200, askMs: 1000 };
    ground.#helper = await place.helper({ stepsTo: control.trace, watch }, control.environment);
    ground.#atStart = await ground.#idleDescriptors();
    return ground;
  }

  async destroy(): Promise<void> {
    await this.place.destroy();
    await rm(this.#directory, { recursive: true, force: true });
  }

  get helper(): Helper {
    assert.ok(this.#helper !== undefined);
    return this.#helper;
  }

  /** The answer; a descriptor that came with it is closed. */
  async call<V extends Verb>(request: Requests[V] & { readonly verb: V }, ...secrets: Buffer[]): Promise<Reply<V>> {
    const reply = await this.helper.client.call<V>(request, ...secrets);
    if (reply.fd >= 0) closeSync(reply.fd);
    return reply;
  }

  async create(name: string, more: Partial<Requests['create']> = {}): Promise<void> {
    await this.call(createRequest(this.engine, { name, size: small, ...more }));
  }

  async open(name: string, more: Partial<Requests['open']> = {}): Promise<void> {
    await this.call(openRequest(this.engine, { name, ...more }));
  }

  async lock(name: string): Promise<void> {
    await this.call({ verb: 'lock', name });
  }

  /** Writes the damaged copy of a header anew. */
  async repair(name: string): Promise<void> {
    await this.call({ verb: 'header-repair', name });
  }

  /** As the watch or an admin does with a volume whose block plane hangs. */
  async slam(name: string): Promise<void> {
    await this.call({ verb: 'slam', name, deadlineMs: 1_000 });
  }

  async state(name: string): Promise<string> {
    return (await this.call({ verb: 'inspect', name, descriptor: false })).result.state;
  }

  /** Puts bytes into an open volume that `proveData` asks for later. */
  async writeProof(name: string): Promise<void> {
    const bytes = randomBytes(proofBytes);
    await writeFile(path.join(this.place.mounts, name, 'dvr/proof'), bytes);
    this.#proofs.set(name, createHash('sha256').update(bytes).digest('hex'));
  }

  /** Of an open volume. */
  async proveData(name: string): Promise<void> {
    const bytes = await readFile(path.join(this.place.mounts, name, 'dvr/proof'));
    assert.equal(createHash('sha256').update(bytes).digest('hex'), this.#proofs.get(name), `the data of ${name}`);
  }

  async census(): Promise<Census> {
    const { loops, mounts, processes } = await this.place.leftovers();
    const roots = [this.place.storage, this.place.mounts, this.place.runtime];
    const files = (await Promise.all(roots.map((root) => filesBelow(root)))).flat().map((file) => this.plain(file));
    return {
      loops,
      mounts,
      processes: [...processes, ...(await fixtureProcesses(this.control.page))],
      files: [...new Set(files)].sort(),
    };
  }

  /** What the helper is running now. */
  async children(): Promise<number[]> {
    const lists = await readFile(`/proc/${this.helper.pid}/task/${this.helper.pid}/children`, 'utf8');
    return lists.split(' ').filter(Boolean).map(Number);
  }

  /** Descriptors that the helper has open beyond those at its start, once it is idle: connections that are ending go first. */
  async moreDescriptors(): Promise<number> {
    const deadline = Date.now() + 5_000;
    let count = await this.#descriptors();
    while (count > this.#atStart && Date.now() < deadline) {
      await sleep(20);
      count = await this.#descriptors();
    }
    return count - this.#atStart;
  }

  /** After a first call, which opens what stays open. */
  async #idleDescriptors(): Promise<number> {
    await this.state('v');
    const counts: number[] = [];
    for (let look = 0; look < 10; look += 1) {
      await sleep(20);
      counts.push(await this.#descriptors());
    }
    return Math.min(...counts);
  }

  async #descriptors(): Promise<number> {
    return (await readdir(`/proc/${this.helper.pid}/fd`)).length;
  }

  /** A path without what differs from one run to the next. */
  plain(file: string): string {
    return file
      .replaceAll(this.place.root, '')
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
      .replace(/\d{8}T\d{9}Z/g, 'TIME')
      .replace(/\.[0-9a-f]{16}$/, '.RANDOM')
      .replace(/\/dev\/loop\d+/, '/dev/loopN');
  }
}

/** Not across mounts: what is in a volume is its own. */
const filesBelow = async (directory: string): Promise<string[]> => {
  const { dev } = await stat(directory);
  const found: string[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const file = path.join(directory, entry.name);
    if (entry.isSocket()) continue;
    found.push(file);
    if (entry.isDirectory() && (await stat(file)).dev === dev) found.push(...(await filesBelow(file)));
  }
  return found;
};

/** Of fixtures that stand in the place of programs, with what they started: fault.c gives them a mark. */
const fixtureProcesses = async (mark: string): Promise<string[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const read = (pid: string, what: string): Promise<string> => readFile(`/proc/${pid}/${what}`, 'utf8').catch(() => '');
  const marked = pids.map(async (pid) =>
    (await read(pid, 'environ')).includes(`FAULT_FIXTURE=${mark}\0`) ? [await read(pid, 'cmdline')] : [],
  );
  return (await Promise.all(marked)).flat().map((line) => line.replaceAll('\0', ' ').trim());
};
