/**
 * In the virtual machine: the recorder, one volume on dm-crypt above a device whose writes are delayed (dm-delay), another beside it, a live publisher for each.
 * `node test/trouble/slow-disk.ts CLIP DISK`, as root on a kernel with dm-delay; its last line is what was seen.
 */
import assert from 'node:assert/strict';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { reelPath } from '../../src/archive/reel.ts';
import type { Segment } from '../../src/archive/segment.ts';
import { Jail } from '../../src/datapath/jail.ts';
import { crc32c } from '../../src/native.ts';
import { host } from '../command.ts';
import { push } from '../ingest/clip.ts';
import { Host, uuid } from '../ingest/host.ts';

const [clip = '', disk = ''] = process.argv.slice(2);
const sectors = (await host('blockdev', ['--getsz', disk])).trim();
/** Each write and each flush takes so many milliseconds. */
const table = (ms: number): string => `0 ${sectors} delay ${disk} 0 0 ${disk} 0 ${ms} ${disk} 0 ${ms}`;
/** What waits in the former table goes to the disk at once. */
const delay = async (ms: number): Promise<void> => {
  await host('dmsetup', ['reload', 'delayed', '--table', table(ms)]);
  await host('dmsetup', ['suspend', '--nolockfs', 'delayed']);
  await host('dmsetup', ['resume', 'delayed']);
};
const until = async (what: string, holds: () => boolean): Promise<void> => {
  const deadline = performance.now() + 240_000;
  for (; !holds(); await sleep(50)) assert.ok(performance.now() < deadline, `expected ${what}`);
};

await using stack = new AsyncDisposableStack();
const directory = await mkdtemp(path.join(os.tmpdir(), 'rv-slow-'));
const [point, beside, key] = ['volume', 'beside', 'key'].map((name) => path.join(directory, name)) as [
  ...[string, string, string],
];
for (const made of [point, beside]) mkdirSync(made);
writeFileSync(key, 'a key');
const undo = (file: string, ...args: readonly string[]): void => stack.defer(() => host(file, args).then(() => {}));
await host('dmsetup', ['create', 'delayed', '--table', table(0)]);
undo('dmsetup', 'remove', 'delayed');
const quick = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--key-file', key];
await host('cryptsetup', ['luksFormat', '--batch-mode', ...quick, '/dev/mapper/delayed']);
await host('cryptsetup', ['open', '--key-file', key, '/dev/mapper/delayed', 'plain']);
undo('cryptsetup', 'close', 'plain');
await host('mkfs.ext4', ['-q', '/dev/mapper/plain']);
await host('mount', ['/dev/mapper/plain', point]);
undo('umount', point);

const ingest = await Host.start({ directory, stagingBytes: 8 * 1024 * 1024 });
stack.defer(() => ingest.stop());
const { recorder } = ingest;
const other = new Jail({ fd: openSync(beside, 'r'), label: 'volume beside' });
stack.defer(() => other.close());
await recorder.attachVolume({ name: 'beside', uuid, jail: other });
await recorder.put('well', { volume: 'beside' });

const durable = new Map<string, Segment[]>([
  ['slow', []],
  ['well', []],
]);
const lags = new Map<string, number>();
const count = (stream: string): number => durable.get(stream)?.length ?? 0;
const more = (stream: string, wanted: number): Promise<void> => {
  const target = count(stream) + wanted;
  return until(`${wanted} more durable segments of ${stream}`, () => count(stream) >= target);
};
const ended: string[] = [];
const shed: [stream: string, dropping: boolean, bytes: number][] = [];
recorder.on('durable', (stream, segments, _volume, lagsMs) => {
  durable.get(stream)?.push(...segments);
  lags.set(stream, Math.max(lags.get(stream) ?? 0, ...lagsMs));
});
recorder.on('end', (stream, failure) => ended.push(`${stream} ${failure?.code}`));
recorder.on('shedding', ({ stream }, dropping, bytes) => shed.push([stream, dropping, bytes]));
for (const stream of durable.keys()) {
  const publisher = push(ingest.url(`/ingest/${stream}`), clip, ['-re', '-stream_loop', '-1']);
  stack.defer(async () => {
    publisher.kill('SIGKILL');
    await publisher.ended;
  });
}
await Promise.all([more('slow', 2), more('well', 2)]);

// 1. Half a second at each write: nothing is lost, all of it comes later.
await delay(500);
const began = performance.now();
await host('sync', ['-f', point]);
const syncMs = Math.round(performance.now() - began);
assert.ok(syncMs >= 500, `${syncMs}`);
lags.clear();
await Promise.all([more('slow', 5), more('well', 5)]);
const lagsMs = Object.fromEntries(lags);
assert.ok((lags.get('slow') ?? 0) >= 500, JSON.stringify(lagsMs));
assert.deepEqual(shed, []);

// 2. So slow that a live source cannot wait: it is let go on, and what comes is dropped, until the disk has caught up.
await delay(3_600_000);
await until('what comes to be dropped', () => shed.length > 0);
const lagMs = recorder.measures.lags.get('slow')?.durableLagMs ?? 0;
assert.ok(lagMs >= 10_000, `${lagMs}`);
await more('well', 5);
await delay(0);
await until('the disk to have caught up', () => shed.length > 1);
const bytes = shed[1]?.[2] ?? 0;
assert.ok(bytes > 0);
assert.deepEqual(shed, [
  ['slow', true, 0],
  ['slow', false, bytes],
]);
assert.deepEqual([...recorder.measures.droppedBytes], [['slow', bytes]]);
await more('slow', 3);
const reasons = async (stream: string) =>
  (await recorder.gaps(stream, 0, Number.MAX_SAFE_INTEGER)).map((gap) => gap.reasons);
const [slow, well] = [await reasons('slow'), await reasons('well')];
assert.ok(slow.flat().includes('disk') && !well.flat().includes('disk'), JSON.stringify({ slow, well }));
assert.deepEqual(ended, [], 'the publishers have not noticed');
for (const [stream, at] of [
  ['slow', point],
  ['well', beside],
] as const)
  for (const { hour, offset, length, crc32c: sum } of durable.get(stream) ?? [])
    assert.equal(crc32c(readFileSync(path.join(at, reelPath(stream, hour))).subarray(offset, offset + length)), sum);
const seen = {
  syncMs,
  lagsMs,
  lagMs,
  droppedBytes: bytes,
  segments: [count('slow'), count('well')],
  gaps: { slow, well },
};
process.stdout.write(`${JSON.stringify(seen)}\n`);
