/** Starts the load of paced live streams (test/bench/load), one process for all of them. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { clipBitsPerSecond } from './bench-clip.ts';

const program = path.resolve(import.meta.dirname, '../../build/Release/publish-load');
/** What ffmpeg's muxer sends at once over HTTP. */
const chunkBytes = 32_768;
/** Streams begin one after the other within this time. */
export const spreadSeconds = 4;

export interface LoadReport {
  readonly streams: number;
  readonly sentBytes: number;
  /** Chunks that the recorder kept from being sent for longer than a second. */
  readonly dropped: number;
  readonly broken: number;
  /** Answered with 200 at the end. */
  readonly succeeded: number;
  readonly latestMs: number;
  /** Of the load's own process. */
  readonly cpuSeconds: number;
  readonly failure: string;
}

export interface Load extends AsyncDisposable {
  /** Resolves when all streams have ended. */
  readonly report: Promise<LoadReport>;
}

const linesOf = async function* (child: ChildProcess): AsyncGenerator<string, undefined> {
  if (child.stdout !== null) yield* createInterface({ input: child.stdout });
};

/** Resolves when all streams are connected and the first chunks go out. A target is `METHOD ADDRESS PATH`. */
export const startLoad = async (clip: string, seconds: number, targets: readonly string[]): Promise<Load> => {
  const args = [clip, String(chunkBytes), String(clipBitsPerSecond), String(seconds)];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.stdin.end(`${targets.join('\n')}\n`);
  const lines = linesOf(child);
  const first = await lines.next();
  if (first.done === true) throw new Error('the load could not connect');
  const report = lines.next().then(({ value }) => {
    if (value === undefined) throw new Error('the load ended without a report');
    return JSON.parse(value) as LoadReport;
  });
  report.catch(() => undefined); // whoever awaits it is told; a load that is given up is not
  return {
    report,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
};

export const bytesASecond = clipBitsPerSecond / 8;
