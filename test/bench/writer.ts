/**
 * The segment writer against fio for speed, and against a careful writer out of `node:fs/promises` for processor time, on the filesystem of
 * the temporary directory. What is held equal: docs/decisions/070-writer-and-ingest-benches.md.
 */
import { mkdir, rm, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { must, temporary } from '../luksblock/support.ts';
import { makeClip } from './bench-clip.ts';
import { alternate, median, ratio, rounded } from './bench-figures.ts';
import type { Bench } from './main.ts';
import type { WriterFigures, WriterTask } from './writer-load.ts';

export interface WriterLoad {
  readonly rounds: number;
  readonly clipSeconds: number;
  /** Against fio: few streams, as much as the disk takes. */
  readonly speed: { readonly streams: number; readonly bytes: number };
  /** Against Node: many streams; bytes of all of them together, by the length of a chunk. */
  readonly cpu: { readonly streams: number; readonly bytes64k: number; readonly bytes1316: number };
}

const gib = 2 ** 30;
const load: WriterLoad = {
  rounds: 3,
  clipSeconds: 10,
  speed: { streams: 16, bytes: 6 * gib },
  cpu: { streams: 1000, bytes64k: 6 * gib, bytes1316: 2 * gib },
};
/** What a stream gets before it is measured: enough for the segment writer to open its reel. */
const bytesBefore = 256 * 1024;
const [chunk64k, chunk1316] = [65_536, 1316];

const programs = { native: 'writer-native.ts', node: 'writer-node.ts', nodeCollecting: 'writer-node.ts' } as const;
type Program = keyof typeof programs;

/** One request of fio: what the writer's own requests have when it has as much as it can write (docs/archive.md, "Threads"). */
const fioBlock = '1m';
const fioDepth = 64;

const describeFio = ({ streams }: WriterLoad['speed']): string =>
  `--rw=write --bs=${fioBlock} --direct=1 --ioengine=io_uring --iodepth=${fioDepth} --nrfiles=${streams} --fallocate=keep --end_fsync=1`;

/** Bytes a second of fresh, preallocated files, until all of them are synced. */
const fio = async (root: string, speed: WriterLoad['speed']): Promise<number> => {
  const size = [`--directory=${root}`, '--name=fio', `--size=${speed.bytes}`, '--file_service_type=roundrobin'];
  const args = [...size, ...describeFio(speed).split(' '), '--output-format=json'];
  const report = JSON.parse(await must('fio', args)) as { jobs: { job_runtime: number; error: number }[] };
  const [job] = report.jobs;
  if (job === undefined || job.error !== 0) throw new Error(`fio failed with ${job?.error}`);
  return (speed.bytes / job.job_runtime) * 1000;
};

/** Runs `work` in an empty directory, with nothing of the run before left to be written. */
const inEmpty = async <T>(directory: string, work: (root: string) => Promise<T>): Promise<T> => {
  const root = path.join(directory, 'root');
  await mkdir(root);
  await must('sync', ['-f', directory]);
  try {
    return await work(root);
  } finally {
    await rm(root, { recursive: true });
  }
};

const run = async (program: Program, task: WriterTask): Promise<WriterFigures> => {
  const script = path.join(import.meta.dirname, programs[program]);
  return JSON.parse(await must(process.execPath, [script, JSON.stringify(task)])) as WriterFigures;
};

export const writerBench = async (
  { rounds, clipSeconds, speed, cpu }: WriterLoad,
  say: (line: string) => void,
): Promise<Record<string, unknown>> => {
  await using stack = new AsyncDisposableStack();
  const directory = await temporary(stack);
  const clip = path.join(directory, 'clip.ts');
  await makeClip(clip, clipSeconds);
  const task = (root: string, streams: number, bytes: number, chunkBytes: number, collectBytes = 0): WriterTask => {
    const chunks = Math.floor(bytes / streams / chunkBytes);
    const chunksBefore = Math.ceil(bytesBefore / chunkBytes);
    return { root, clip, streams, chunkBytes, chunks, chunksBefore, segmentMs: 4000, collectBytes };
  };

  const mibASecond = await alternate(rounds, ['native', 'fio'], async (name, round) => {
    const bytesASecond = await inEmpty(directory, async (root) => {
      if (name === 'fio') return fio(root, speed);
      const { bytes, seconds } = await run('native', task(root, speed.streams, speed.bytes, chunk64k));
      return bytes / seconds;
    });
    say(`round ${round + 1} speed ${name}: ${Math.round(bytesASecond / 2 ** 20)} MiB/s`);
    return rounded(bytesASecond / 2 ** 20);
  });

  const against = (names: readonly Program[], bytes: number, chunkBytes: number) =>
    alternate(rounds, names, async (name, round) => {
      const collect = name === 'nodeCollecting' ? chunk64k : 0;
      const figures = await inEmpty(directory, (root) =>
        run(name, task(root, cpu.streams, bytes, chunkBytes, collect)),
      );
      const cpuAGiB = rounded((figures.cpuSeconds / figures.bytes) * gib, 3);
      const line = {
        cpuAGiB,
        openingCpuMsAStream: rounded((figures.cpuSecondsBefore * 1000) / cpu.streams),
        loopDelayP99Ms: rounded(figures.loopDelayP99Ms),
        seconds: rounded(figures.seconds),
      };
      say(`round ${round + 1} ${cpu.streams} streams, ${chunkBytes} bytes, ${name}: ${JSON.stringify(line)}`);
      return line;
    });
  const of64k = await against(['native', 'node'], cpu.bytes64k, chunk64k);
  const of1316 = await against(['native', 'node', 'nodeCollecting'], cpu.bytes1316, chunk1316);
  const cpuOf = (lines: readonly { readonly cpuAGiB: number }[]): number[] => lines.map(({ cpuAGiB }) => cpuAGiB);
  const delays = [...of64k.native, ...of1316.native].map(({ loopDelayP99Ms }) => loopDelayP99Ms);

  const { type, bsize } = await statfs(directory);
  return {
    ratio_fio: ratio(mibASecond.native, mibASecond.fio),
    ratio_node_cpu_64k: ratio(cpuOf(of64k.native), cpuOf(of64k.node)),
    ratio_node_cpu_1316: ratio(cpuOf(of1316.native), cpuOf(of1316.node), 3),
    ratio_node_collecting_cpu_1316: ratio(cpuOf(of1316.native), cpuOf(of1316.nodeCollecting), 3),
    loop_delay_p99_ms: { of64k: median(of64k.native.map((line) => line.loopDelayP99Ms)), worst: Math.max(...delays) },
    medians: {
      mib_a_second: { native: median(mibASecond.native), fio: median(mibASecond.fio) },
      cpu_s_a_gib_64k: { native: median(cpuOf(of64k.native)), node: median(cpuOf(of64k.node)) },
      cpu_s_a_gib_1316: Object.fromEntries(Object.entries(of1316).map(([name, lines]) => [name, median(cpuOf(lines))])),
    },
    raw: { mibASecond, of64k, of1316 },
    settings: { rounds, speed, cpu, fio: describeFio(speed) },
    machine: {
      kernel: os.release(),
      cpu: os.cpus()[0]?.model ?? '',
      cpus: os.cpus().length,
      loadAverage: os.loadavg().map((figure) => rounded(figure, 1)),
      fileSystem: { type: `0x${type.toString(16)}`, blockBytes: bsize },
      fio: await must('fio', ['--version']),
    },
  };
};

export const bench: Bench = (say) => writerBench(load, say);
