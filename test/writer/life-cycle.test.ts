/** Every method in every state, and the process or worker that ends in any of them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { NativeWriter } from '../../src/native.ts';
import { feed, hour, makeClip, makeGround } from './ground.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'rv-life-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const clipFile = path.join(dir, 'clip.ts');
const clip = makeClip(clipFile, [], 3);
const base = { name: 'cam', segmentMs: 1000, lastEndUs: null };

test('after finish a session takes nothing, and finish itself may be called again', async (t) => {
  const ground = makeGround(t);
  const stream = ground.writer.openStream({ ...base, volume: ground.volume });
  await feed(ground, stream, clip, 65536, hour);
  const first = ground.writer.finish(stream);
  assert.equal(ground.writer.finish(stream), first);
  assert.throws(() => ground.writer.append(stream, clip.subarray(0, 188), hour), { code: 'recording-stopped' });
  await first;
  assert.throws(() => ground.writer.append(stream, clip.subarray(0, 188), hour), { code: 'recording-stopped' });
  assert.throws(() => ground.writer.counters(stream), { code: 'recording-stopped' });
  assert.throws(() => ground.writer.append(999, clip.subarray(0, 188), hour), { code: 'recording-stopped' });
});

test('close finishes what is open, may be called again, and nothing can be opened afterwards', async (t) => {
  const ground = makeGround(t);
  const stream = ground.writer.openStream({ ...base, volume: ground.volume });
  await feed(ground, stream, clip, 65536, hour);
  await Promise.all([ground.writer.close(), ground.writer.close()]);
  assert.ok(ground.bytes('dvr/cam/2026/11/21/14.ts').equals(clip));
  assert.throws(() => ground.writer.openStream({ ...base, volume: ground.volume }), { code: 'not-running' });
  assert.throws(() => ground.writer.addVolume(ground.fd), { code: 'not-running' });
  await assert.rejects(ground.writer.removeVolume(ground.volume), { code: 'not-running' });
});

test('a volume goes when its sessions are over; a name has one session at a time', async (t) => {
  const ground = makeGround(t);
  const stream = ground.writer.openStream({ ...base, volume: ground.volume });
  await assert.rejects(ground.writer.removeVolume(ground.volume), { code: 'volume-busy' });
  assert.throws(() => ground.writer.openStream({ ...base, volume: ground.volume }), { code: 'stream-busy' });
  await ground.writer.finish(stream);
  await ground.writer.removeVolume(ground.volume);
  await assert.rejects(ground.writer.removeVolume(ground.volume), { code: 'not-found' });
  assert.throws(() => ground.writer.openStream({ ...base, volume: ground.volume }), { code: 'not-found' });
});

test('values that make no sense are refused before native code sees them', (t) => {
  const ground = makeGround(t);
  const open = (change: object) => () => ground.writer.openStream({ ...base, volume: ground.volume, ...change });
  for (const name of ['', '.', '..', '.hidden', 'a/b', 'a\0b', 'a'.repeat(101)]) {
    assert.throws(open({ name }), { code: 'invalid-argument' });
  }
  for (const change of [{ segmentMs: 0 }, { segmentMs: Number.NaN }, { lastEndUs: -1 }, { volume: 1.5 }]) {
    assert.throws(open(change), { code: 'invalid-argument' });
  }
  assert.throws(() => new NativeWriter({ stagingBytes: 1 }, () => {}), { code: 'invalid-argument' });
  assert.throws(() => ground.writer.addVolume(ground.fd, new Uint8Array(3)), { code: 'invalid-argument' });
  const stream = ground.writer.openStream({ ...base, volume: ground.volume });
  assert.throws(() => ground.writer.append(stream, new Uint8Array(0), hour), { code: 'invalid-argument' });
});

const native = path.resolve(import.meta.dirname, '../../src/native.ts');
/** A program that gets as far as `steps` and then does `end`. */
const program = (backend: string, steps: number, end: string): string => `
import fs from 'node:fs';
import { NativeWriter } from ${JSON.stringify(native)};
const clip = fs.readFileSync(${JSON.stringify(clipFile)});
const dir = fs.mkdtempSync(${JSON.stringify(path.join(dir, 'volume-'))});
let writer, volume, stream;
const steps = [
  () => { writer = new NativeWriter({ backend: ${JSON.stringify(backend)}, commitIntervalMs: 5 }, () => {}); },
  () => { volume = writer.addVolume(fs.openSync(dir, 'r')); },
  () => { stream = writer.openStream({ volume, name: 'cam', segmentMs: 1000, lastEndUs: null }); },
  () => { writer.append(stream, clip.subarray(0, 100000), 1e15); },
  () => new Promise((wake) => setTimeout(wake, 20)),
  () => { void writer.finish(stream); },
  () => writer.finish(stream),
  () => { void writer.close(); },
  () => writer.close(),
];
for (const step of steps.slice(0, ${steps})) await step();
${end}
`;
const endings = {
  exit: 'process.exit(0);',
  // The process ends by itself when nothing holds it: an idle writer must not, an open session must.
  'nothing left': 'if (stream !== undefined) await writer.close();',
  collected:
    'if (stream === undefined) { writer = undefined; } globalThis.gc(); await new Promise((w) => setTimeout(w, 10)); globalThis.gc(); process.exit(0);',
};
const run = (source: string) =>
  promisify(execFile)(process.execPath, ['--expose-gc', '--input-type=module', '-e', source], { timeout: 30_000 });

for (const backend of ['io_uring', 'pwrite']) {
  for (const [name, end] of Object.entries(endings)) {
    test(`the process ends at every step: ${name} (${backend})`, async () => {
      for (let steps = 1; steps <= 9; steps++) await run(program(backend, steps, end));
    });
  }
}

test('a worker that is ended at every step takes nothing down with it', async () => {
  const wait = `
    const { parentPort } = await import('node:worker_threads');
    parentPort.postMessage('there');
    await new Promise(() => setInterval(() => {}, 1000));`;
  const files = Array.from({ length: 9 }, (_, steps) => {
    const file = path.join(dir, `worker-${steps}.mjs`);
    writeFileSync(file, program('auto', steps + 1, wait));
    return file;
  });
  await run(`
    import { Worker } from 'node:worker_threads';
    for (const file of ${JSON.stringify(files)}) {
      const worker = new Worker(file, { execArgv: [] });
      await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
      await worker.terminate();
    }
  `);
});

test('workers that are ended while events reach them take nothing down with them', async () => {
  const busy = `
    const { parentPort } = await import('node:worker_threads');
    parentPort.postMessage('there');
    setInterval(() => { writer.append(stream, clip, Date.now() * 1000); }, 1);
    await new Promise(() => {});`;
  const file = path.join(dir, 'worker-busy.mjs');
  writeFileSync(file, program('auto', 3, busy).replace('commitIntervalMs: 5', 'commitIntervalMs: 1'));
  await run(`
    import { Worker } from 'node:worker_threads';
    import { setTimeout as sleep } from 'node:timers/promises';
    for (let round = 0; round < 40; round++) {
      const worker = new Worker(${JSON.stringify(file)}, { execArgv: [] });
      await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
      await sleep(round / 2);
      await worker.terminate();
    }
  `);
});
