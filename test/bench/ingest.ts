/**
 * The whole service under live streams of 4 Mbit/s into an encrypted volume on the userspace engine: how many it takes, and what they cost
 * beside other recorders that write into the same volume. What is held equal: docs/decisions/070-writer-and-ingest-benches.md.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { must, temporary } from '../luksblock/support.ts';
import { makeClip } from './bench-clip.ts';
import { alternate, median, ratio, rounded } from './bench-figures.ts';
import { cpuSecondsOfAll } from './ingest-cpu.ts';
import { type Door, IngestGround } from './ingest-ground.ts';
import { quantile, sumOf } from './ingest-lag.ts';
import { bytesASecond, spreadSeconds, startLoad } from './ingest-load.ts';
import { type PeerName, peerNames, startPeer } from './ingest-peers.ts';
import { mostThatHold } from './ingest-search.ts';
import type { Bench } from './main.ts';

export interface IngestLoad {
  readonly rounds: number;
  /** Streams beside the peers. */
  readonly streams: number;
  /** How long is measured, and how long streams run before it. */
  readonly seconds: number;
  readonly settleSeconds: number;
  readonly search: { readonly first: number; readonly step: number; readonly most: number };
  readonly volumeSize: string;
}

const load: IngestLoad = {
  rounds: 3,
  streams: 50,
  seconds: 10,
  settleSeconds: spreadSeconds + 3,
  search: { first: 500, step: 100, most: 1000 },
  volumeSize: '14G',
};

const gib = 2 ** 30;
const wantedLagSeconds = 2;

const contenders = ['plain', 'tls', ...peerNames] as const;
type Contender = (typeof contenders)[number];

/** What each has on disk at a power cut. */
const durability: Readonly<Record<Contender, string>> = {
  plain: 'all but the newest second: data and index synced once a second, acknowledged only then',
  tls: 'the same',
  ffmpeg: 'nothing promised: page cache',
  nginx_rtmp: 'nothing promised: page cache',
  nms: 'nothing promised: page cache',
};

const bytesIn = async (directory: string): Promise<number> => {
  const names = await readdir(directory, { recursive: true });
  const sizes = names.map(async (name) => {
    const found = await stat(path.join(directory, name)).catch(() => undefined);
    return found?.isFile() ? found.size : 0;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
};

class Comparison {
  readonly #ground: IngestGround;
  readonly #load: IngestLoad;
  readonly #clip: string;
  readonly #scratch: string;

  constructor(ground: IngestGround, load: IngestLoad, clip: string, scratch: string) {
    this.#ground = ground;
    this.#load = load;
    this.#clip = clip;
    this.#scratch = scratch;
  }

  async measure(contender: Contender, round: number): Promise<{ recorder: number; blockPlane: number }> {
    const ours = contender === 'plain' || contender === 'tls';
    return ours ? this.#ours(contender, round) : this.#peer(contender);
  }

  /** CPU seconds a GiB of the incoming stream. `recorded` is asked before and after. */
  async #window(
    processes: () => Promise<readonly number[]>,
    recorded: () => Promise<number>,
  ): Promise<{ recorder: number; blockPlane: number }> {
    const { streams, seconds, settleSeconds } = this.#load;
    await sleep(settleSeconds * 1000);
    const [pids, plane] = [await processes(), await this.#ground.blockPlane()];
    const look = async () => {
      const at = performance.now();
      // What lies in the page cache only has cost the block plane nothing yet.
      await must('sync', ['-f', this.#ground.mountPoint]);
      const cpu = { recorder: await cpuSecondsOfAll(pids), blockPlane: await cpuSecondsOfAll(plane) };
      return { at, ...cpu, bytes: await recorded() };
    };
    const before = await look();
    await sleep(seconds * 1000);
    const after = await look();
    const incoming = (streams * bytesASecond * (after.at - before.at)) / 1000;
    // FLV leaves out what fills a transport stream up to its rate, and files grow by buffers.
    const share = (after.bytes - before.bytes) / incoming;
    if (share < 0.6) throw new Error(`only ${rounded(share * 100, 0)} % of what was published was recorded`);
    const aGiB = (cpu: 'recorder' | 'blockPlane'): number => rounded(((after[cpu] - before[cpu]) / incoming) * gib, 2);
    return { recorder: aGiB('recorder'), blockPlane: aGiB('blockPlane') };
  }

  get #published(): number {
    return this.#load.settleSeconds + this.#load.seconds + 2;
  }

  async #ours(door: Door, round: number) {
    const names = Array.from({ length: this.#load.streams }, (_, at) => `${door}-${round}-${at}`);
    await using running = await startLoad(this.#clip, this.#published, await this.#ground.targets(door, names));
    const figures = await this.#window(
      () => this.#ground.processes(),
      async () => sumOf(await this.#ground.metrics(), 'durable_bytes_total'),
    );
    const report = await running.report;
    if (report.succeeded < names.length || report.dropped > 0)
      throw new Error(`ours failed: ${JSON.stringify(report)}`);
    return figures;
  }

  async #peer(name: PeerName) {
    const into = path.join(this.#ground.mountPoint, `peer-${name}`);
    const scratch = path.join(this.#scratch, name);
    const { streams } = this.#load;
    try {
      await using running = await startPeer(name, {
        clip: this.#clip,
        seconds: this.#published,
        streams,
        into,
        scratch,
      });
      return await this.#window(
        () => running.processes(),
        () => bytesIn(into),
      );
    } finally {
      await rm(into, { recursive: true, force: true });
      await rm(scratch, { recursive: true, force: true });
      // The next one does not pay for what this one left in the page cache.
      await must('sync', ['-f', this.#ground.mountPoint]);
    }
  }
}

/** One step of the search, with a service and a volume of its own. */
const holds = async (
  { settleSeconds, seconds, volumeSize }: IngestLoad,
  clip: string,
  door: Door,
  streams: number,
): Promise<{ holds: boolean; figures: Record<string, unknown> }> => {
  await using ground = await IngestGround.make(volumeSize);
  const names = Array.from({ length: streams }, (_, at) => `s${at}`);
  const targets = await ground.targets(door, names);
  await using running = await startLoad(clip, settleSeconds + seconds + 2, targets);
  await sleep(settleSeconds * 1000);
  const processes = [...(await ground.processes()), ...(await ground.blockPlane())];
  const before = { samples: await ground.metrics(), cpu: await cpuSecondsOfAll(processes) };
  await sleep(seconds * 1000);
  const after = { samples: await ground.metrics(), cpu: await cpuSecondsOfAll(processes) };
  const report = await running.report;
  const lagP99 = quantile(before.samples, after.samples, 'durable_lag_seconds', 0.99);
  const drops = report.dropped + report.broken + (streams - report.succeeded);
  const cores = rounded((after.cpu - before.cpu) / seconds);
  const figures = { streams, door, drops, lagP99, latestMs: report.latestMs, cores, loadCpuSeconds: report.cpuSeconds };
  return {
    holds: drops === 0 && lagP99 <= wantedLagSeconds,
    figures: report.failure === '' ? figures : { ...figures, failure: report.failure },
  };
};

export const ingestBench = async (
  wanted: IngestLoad,
  say: (line: string) => void,
): Promise<Record<string, unknown>> => {
  await using stack = new AsyncDisposableStack();
  const scratch = await temporary(stack);
  const clip = path.join(scratch, 'clip.ts');
  await makeClip(clip, wanted.settleSeconds + wanted.seconds + 8);

  const steps: Record<string, unknown>[] = [];
  const search = async (door: Door): Promise<number> => {
    const found = await mostThatHold(wanted.search, async (streams) => {
      const step = await holds(wanted, clip, door, streams);
      steps.push(step.figures);
      say(`${step.holds ? 'holds' : 'does not hold'}: ${JSON.stringify(step.figures)}`);
      return step.holds;
    });
    return found;
  };
  const streams = await search('plain');
  const streamsTls = await search('tls');

  const ground = stack.use(await IngestGround.make(wanted.volumeSize));
  const comparison = new Comparison(ground, wanted, clip, scratch);
  const raw = await alternate(wanted.rounds, contenders, async (name, round) => {
    const figures = await comparison.measure(name, round);
    say(`round ${round + 1} ${name}: ${JSON.stringify(figures)} CPU s a GiB`);
    return figures;
  });
  const whole = Object.fromEntries(
    contenders.map((name) => [name, raw[name].map(({ recorder, blockPlane }) => recorder + blockPlane)]),
  ) as Record<Contender, number[]>;
  const ratios = (door: Door, suffix: string): Record<string, number> =>
    Object.fromEntries(peerNames.map((name) => [`ratio_${name}_cpu${suffix}`, ratio(whole[door], whole[name])]));

  return {
    streams,
    streams_tls: streamsTls,
    ...ratios('plain', ''),
    ...ratios('tls', '_tls'),
    cpu_s_a_gib: Object.fromEntries(contenders.map((name) => [name, rounded(median(whole[name]))])),
    durable: durability,
    steps,
    raw,
    settings: { ...wanted, bitsPerSecond: bytesASecond * 8 },
    machine: {
      kernel: os.release(),
      cpu: os.cpus()[0]?.model ?? '',
      cpus: os.cpus().length,
      loadAverage: os.loadavg().map((figure) => rounded(figure, 1)),
      ffmpeg: (await must('ffmpeg', ['-version'])).split('\n')[0],
    },
  };
};

export const bench: Bench = (say) => ingestBench(load, say);
