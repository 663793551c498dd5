/** Volumes that are made, opened, recorded into, locked and destroyed one after the other by one service, and what that leaves behind. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VolumeView } from '../../src/http/volumes.ts';
import { makeClip } from '../e2e/publisher.ts';
import { type Answer, Service } from '../e2e/service.ts';
import { connectionsBelow, type Figures, figuresOf, type Ours } from './figures.ts';
import { FuseControl } from './fuse-control.ts';

export interface CyclesReport {
  readonly cycles: number;
  /** Bytes that were recorded, and of which each was read back. */
  readonly recorded: number;
  readonly seconds: number;
  /** Before the first cycle, when everything that is made once has been made (`warm`), and after the last. */
  readonly before: Figures;
  readonly warm: Figures;
  readonly after: Figures;
}

export interface CyclesParams {
  readonly count: number;
  /** After which cycle open descriptors and memory are taken as what the parts have in use. */
  readonly warmAt: number;
  /** Ends the run after the cycle that is going on. */
  readonly signal?: AbortSignal;
  readonly say: (line: string) => void;
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const ok = ({ status, body, json }: Answer): unknown => {
  assert.ok(status === 200 || status === 201, body.toString('utf8'));
  return json;
};

class Cycles {
  readonly #service: Service;
  readonly #clip: Buffer;
  readonly #temporary: string;
  readonly #uuids = new Set<string>();
  readonly #connections = new Set<string>();
  readonly #ours: Ours;

  constructor(service: Service, clip: Buffer, temporary: string, control: FuseControl) {
    this.#service = service;
    this.#clip = clip;
    this.#temporary = temporary;
    this.#ours = { uuids: this.#uuids, connections: this.#connections, control };
  }

  async run(): Promise<void> {
    const service = this.#service;
    const at = '/api/v1/volumes/main';
    const made = ok(await service.request('PUT', `${at}?size=32M&open=false`)) as VolumeView;
    assert.equal(made.state, 'locked');
    this.#uuids.add(made.uuid ?? '');
    const opened = ok(await service.request('POST', `${at}/open`)) as VolumeView;
    assert.equal(opened.state, 'open');
    for (const name of await connectionsBelow(await realpath(service.folder))) this.#connections.add(name);
    if (this.#uuids.size === 1) await this.#proveCounted(opened);
    const { path: target } = (await service.request('POST', '/api/v1/streams/cam/tickets')).json as { path: string };
    const recorded = ok(await service.request('PUT', target, this.#clip)) as { bytes: number };
    assert.equal(recorded.bytes, this.#clip.length);
    assert.equal(sha256(await this.#onDisk(opened.mountPoint ?? '')), sha256(this.#clip));
    assert.equal((ok(await service.request('POST', `${at}/lock`)) as VolumeView).state, 'locked');
    ok(await service.request('DELETE', `${at}?confirm=main`));
    assert.equal((await service.request('GET', at)).status, 404);
  }

  /** What is counted is seen while it is there: a count of nothing would prove nothing. */
  async #proveCounted({ engine }: VolumeView): Promise<void> {
    const { loops, mappings, mounts, blockPlanes } = await figuresOf(this.#service, this.#temporary, this.#ours);
    const listed = new Set(await this.#ours.control.connections());
    const connections = [...this.#connections].filter((name) => listed.has(name)).length;
    const userspace = Number(engine === 'userspace');
    assert.deepEqual(
      { loops, mappings, mounts, blockPlanes, connections },
      { loops: 1, mappings: 1 - userspace, mounts: 1 + userspace, blockPlanes: userspace, connections: userspace },
    );
  }

  /** The reels of the stream, one after the other: the hour may end in the middle. */
  async #onDisk(mountPoint: string): Promise<Buffer> {
    const root = path.join(mountPoint, 'dvr', 'cam');
    const reels = (await readdir(root, { recursive: true })).filter((file) => file.endsWith('.ts')).sort();
    return Buffer.concat(await Promise.all(reels.map((file) => readFile(path.join(root, file)))));
  }

  /** A connection that was answered closes a moment later: the least that is seen within two seconds counts. */
  async figures(): Promise<Figures> {
    let least = await figuresOf(this.#service, this.#temporary, this.#ours);
    for (let round = 0; round < 10; round += 1) {
      await sleep(200);
      const next = await figuresOf(this.#service, this.#temporary, this.#ours);
      if (next.daemonFds + next.helperFds <= least.daemonFds + least.helperFds) least = next;
    }
    return least;
  }
}

export const runCycles = async ({ count, warmAt, signal, say }: CyclesParams): Promise<CyclesReport> => {
  await using control = await FuseControl.mount();
  const temporary = await mkdtemp(path.join(tmpdir(), 'reelvault-cycles-'));
  let service: Service | undefined;
  try {
    await chmod(temporary, 0o1777);
    const clip = await readFile(await makeClip(temporary));
    await rm(path.join(temporary, 'clip.ts'));
    service = await Service.make({ TMPDIR: temporary });
    const cycles = new Cycles(service, clip, temporary, control);
    const before = await cycles.figures();
    let warm = before;
    const began = performance.now();
    let done = 0;
    while (done < count && signal?.aborted !== true) {
      await cycles.run();
      done += 1;
      if (done === warmAt) warm = await cycles.figures();
      if (done % 10 === 0) say(`${done} cycles, ${Math.round((performance.now() - began) / 1000)} s`);
    }
    const seconds = Math.round((performance.now() - began) / 1000);
    const after = await cycles.figures();
    return { cycles: done, recorded: done * clip.length, seconds, before, warm, after };
  } finally {
    await service?.close();
    await rm(temporary, { recursive: true, force: true });
  }
};

/**
 * Bytes that the helper may have more than before: the code of its verbs, and what it works with. V8 and glibc, where nobody limits what they
 * keep, take this much after a few cycles already.
 */
const helperGrowth = 48 * 1024 ** 2;

/** What is not as it was before; empty when nothing is left behind. Descriptors are compared with those of the warm service. */
export const leftBehind = ({ before, warm, after }: CyclesReport): string[] => {
  const nothing = ['loops', 'mappings', 'mounts', 'fuseConnections', 'blockPlanes'] as const;
  const left = nothing.filter((what) => after[what] !== 0).map((what) => `${after[what]} ${what}`);
  if (after.files !== warm.files) left.push(`${after.files - warm.files} files`);
  for (const what of ['daemonFds', 'helperFds'] as const)
    if (after[what] > warm[what]) left.push(`${what}: ${after[what]}, ${warm[what]} when warm, ${before[what]} before`);
  const grown = after.helperRss - before.helperRss;
  if (grown > helperGrowth)
    left.push(`${grown} bytes more in the helper's memory than before, at most ${helperGrowth} are expected`);
  return left;
};

export const tableOf = (report: CyclesReport): string => {
  const { cycles, recorded, seconds, before, warm, after } = report;
  const show = (what: keyof Figures, figures: Figures): string =>
    what.endsWith('Rss') ? `${(figures[what] / 1024 ** 2).toFixed(0)} MiB` : String(figures[what]);
  const lines = (Object.keys(before) as (keyof Figures)[]).map((what) =>
    [what.padEnd(16), ...[before, warm, after].map((figures) => show(what, figures).padStart(10))].join(' '),
  );
  const head = [''.padEnd(16), ...['before', 'warm', 'after'].map((each) => each.padStart(10))].join(' ');
  const sum = `${cycles} cycles in ${seconds} s, ${Math.round(recorded / 1024 ** 2)} MiB recorded and read back`;
  return [head, ...lines, sum].join('\n');
};
