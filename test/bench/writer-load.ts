/** What a contender of the writer bench is given, and what it answers: one process a run, JSON as its argument and on its stdout. */
import fs from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface WriterTask {
  /** An empty directory to write into. */
  readonly root: string;
  readonly clip: string;
  readonly streams: number;
  readonly chunkBytes: number;
  /** How many chunks each stream gets while it is measured, and how many before. */
  readonly chunks: number;
  readonly chunksBefore: number;
  /** Wanted length of a segment: of the clip, 500 bytes a millisecond. */
  readonly segmentMs: number;
  /** Of the Node writer: bytes that it collects before it writes; 0 writes each chunk as it comes. */
  readonly collectBytes: number;
}

export interface WriterFigures {
  readonly bytes: number;
  /** From the first byte that is measured until all of them are durable. */
  readonly seconds: number;
  /** User and system time of the process, all its threads, meanwhile. */
  readonly cpuSeconds: number;
  /** The same from before the streams were opened until then: what comes once a stream and hour. */
  readonly cpuSecondsBefore: number;
  /** 99th percentile of how late the event loop was. */
  readonly loopDelayP99Ms: number;
}

/** The clip cut into chunks, once: what the source of the bytes costs is no part of a writer's figure. All streams share them. */
export const chunksOf = (clip: Buffer, chunkBytes: number): Buffer[] => {
  const chunks: Buffer[] = [];
  for (let at = 0; at + chunkBytes <= clip.length; at += chunkBytes) chunks.push(clip.subarray(at, at + chunkBytes));
  return chunks;
};

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** Runs a contender: `open` opens the streams and gives them their first chunks; what it answers is measured. */
export const contend = async (
  open: (task: WriterTask, chunks: readonly Buffer[]) => Promise<() => Promise<void>>,
): Promise<void> => {
  const task = JSON.parse(process.argv[2] ?? '') as WriterTask;
  const chunks = chunksOf(fs.readFileSync(task.clip), task.chunkBytes);
  const start = cpuSeconds();
  const load = await open(task, chunks);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const before = cpuSeconds();
  const began = performance.now();
  delay.enable();
  await load();
  const seconds = (performance.now() - began) / 1000;
  const figures: WriterFigures = {
    bytes: task.streams * task.chunks * task.chunkBytes,
    seconds,
    cpuSeconds: cpuSeconds() - before,
    cpuSecondsBefore: before - start,
    // The timer that is watched is due each millisecond: what the histogram has is that and the delay.
    loopDelayP99Ms: Math.max(0, delay.percentile(99) / 1e6 - 1),
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
};
