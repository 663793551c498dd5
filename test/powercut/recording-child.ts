/**
 * Records all streams at once, faster than real time, in a process of its own: it may be killed, or lied to. Each segment that is told
 * durable goes into a file at once, with the length of the write log at that moment.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Segment } from '../../src/archive/segment.ts';
import { attachRecorder } from './recorder.ts';

export interface ChildParams {
  readonly point: string;
  readonly uuid: string;
  readonly registry: string;
  /** The write log of the block plane below, or the device of dm-log-writes that takes marks. */
  readonly log: { readonly file: string } | { readonly device: string };
  /** Where the acknowledgements go. */
  readonly told: string;
  /** A clip a stream, by name. */
  readonly clips: Readonly<Record<string, string>>;
  /** The part of each clip that is recorded, from 0 to 1. */
  readonly from: number;
  readonly to: number;
  /** Unix milliseconds of the beginning, and how long the part is. */
  readonly startMs: number;
  readonly lengthMs: number;
  /** As many times faster than real time. */
  readonly speed: number;
  /** The first stream ends its session in the middle, and begins another. */
  readonly interrupted: boolean;
  /** The process ends by SIGKILL in the middle of its last commits. */
  readonly killed: boolean;
  /** Number of its first mark. */
  readonly firstMark: number;
}

/** A line of the file of acknowledgements. */
export interface Told {
  /** Length of the write log when they were told; of dm-log-writes, the number of the mark that was set then. */
  readonly position: number;
  readonly stream: string;
  /** Byte of the clip with which the session began. */
  readonly begin: number;
  readonly segments: readonly Segment[];
}

const packet = 188;
const tickMs = 10;
const params = JSON.parse(process.argv[2] ?? '{}') as ChildParams;
/** How far the log has come. */
const positionOf = (log: ChildParams['log']): (() => number) => {
  if ('file' in log) {
    const fd = openSync(log.file, 'r');
    return () => fstatSync(fd).size;
  }
  let marks = 0;
  return () => {
    execFileSync('dmsetup', ['message', log.device, '0', 'mark', `told-${params.firstMark + marks}`]);
    marks += 1;
    return params.firstMark + marks - 1;
  };
};
const position = positionOf(params.log);
let clock = params.startMs;
const { point, uuid, registry } = params;
const attached = await attachRecorder({ point, uuid, registry, commitIntervalMs: 40, now: () => clock });
const { recorder } = attached;
const begins = new Map<string, number>();
recorder.on('durable', (stream, segments) => {
  const told: Told = { position: position(), stream, begin: begins.get(stream) ?? 0, segments };
  appendFileSync(params.told, `${JSON.stringify(told)}\n`);
});

const streams = await Promise.all(
  Object.entries(params.clips).map(async ([name, file], index) => {
    const clip = readFileSync(file);
    const at = (share: number): number => Math.floor((clip.length * share) / packet) * packet;
    const first = at(params.from);
    await recorder.put(name, { evidence: index === 0 });
    begins.set(name, first);
    return { name, clip, first, next: first, last: at(params.to), session: await recorder.openSession(name, 'test') };
  }),
);
const ticks = Math.ceil(params.lengthMs / params.speed / tickMs);
for (let tick = 1; tick <= ticks; tick += 1) {
  clock = params.startMs + (params.lengthMs * tick) / ticks;
  for (const [index, stream] of streams.entries()) {
    const due = stream.first + Math.floor(((stream.last - stream.first) * tick) / ticks);
    // As it comes from a socket: of any length, now and then in the middle of a packet.
    for (let piece = 1316; stream.next < due; piece = (piece * 7 + 13) % 60_000) {
      const end = Math.min(stream.next + Math.max(piece, 1), due);
      stream.session.append(stream.clip.subarray(stream.next, end));
      stream.next = end;
    }
    if (!params.interrupted || index !== 0 || tick !== Math.ceil(ticks / 3)) continue;
    await stream.session.finish();
    begins.set(stream.name, stream.next);
    stream.session = await recorder.openSession(stream.name, 'test');
  }
  await sleep(tickMs);
}
if (params.killed) process.kill(process.pid, 'SIGKILL');
await Promise.all(streams.map(({ session }) => session.finish()));
await attached[Symbol.asyncDispose]();
