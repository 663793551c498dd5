/** A disk that stands still: a filesystem that is frozen takes no writes until it is thawed. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gapReasonsOf } from '../../src/archive/gap-reasons.ts';
import { endUs } from '../../src/archive/segment.ts';
import { Jail } from '../../src/datapath/jail.ts';
import { run } from '../../src/exec/run.ts';
import { crc32c } from '../../src/native.ts';
import type { Publication } from '../../src/recorder/publication.ts';
import { clip } from '../ingest/clip.ts';
import { Host, type HostOptions, until, uuid } from '../ingest/host.ts';

const quick = { timeoutMs: 30_000 };
let now = Date.UTC(2026, 10, 21, 14, 10);

/** A host whose volume `main` has a filesystem of its own; it is thawed and unmounted at the end. */
const hostOnDisk = async (t: TestContext, options: HostOptions) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-slow-'));
  const [disk, volume, other] = ['disk', 'volume', 'other'].map((name) => path.join(directory, name)) as [
    string,
    string,
    string,
  ];
  await run('truncate', ['-s', '128M', disk], quick);
  await run('mkfs.ext4', ['-q', disk], quick);
  mkdirSync(volume);
  mkdirSync(other);
  await run('mount', ['-o', 'loop', disk, volume], quick);
  const freeze = (): Promise<unknown> => run('fsfreeze', ['--freeze', volume], quick);
  const thaw = (): Promise<unknown> => run('fsfreeze', ['--unfreeze', volume], quick);
  const host = await Host.start({ directory, stagingBytes: 8 * 1024 * 1024, ...options });
  const jail = new Jail({ fd: openSync(other, 'r'), label: 'volume other' });
  await host.recorder.attachVolume({ name: 'other', uuid, jail });
  t.after(async () => {
    await thaw().catch(() => {}); // it is, where the test came to its end
    await host.stop();
    await jail.close();
    await run('umount', [volume], quick);
    rmSync(directory, { recursive: true });
  });
  return { host, freeze, thaw };
};

/** Sends as a publisher does who waits where he is told to. */
const sender = (session: Publication): ((bytes: Buffer) => Promise<boolean>) => {
  let goOn = (): void => {};
  session.onDrain = () => goOn();
  return async (bytes) => {
    for (let at = 0; at < bytes.length; at += 65_536) {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      goOn = () => resolve(true);
      if (session.append(bytes.subarray(at, at + 65_536))) continue;
      if (!(await Promise.race([promise, sleep(20_000, false, { ref: false })]))) return false;
    }
    return true;
  };
};

test('a disk that stands still: its publisher is let go on, other volumes do not notice, and it is recorded again', async (t) => {
  const { host, freeze, thaw } = await hostOnDisk(t, { now: () => now, holdBackMs: 1500 });
  const { recorder } = host;
  const { bytes } = await clip(10);
  const told: [boolean, number][] = [];
  recorder.on('shedding', (_, dropping, dropped) => told.push([dropping, dropped]));
  await recorder.put('cam', { volume: 'main' });
  await recorder.put('well', { volume: 'other' });
  const session = await recorder.openSession('cam', 'test');
  const send = sender(session);
  await send(bytes);
  await until('something durable', () => session.status().segments > 3);
  await freeze();
  const sent = (async () => {
    for (let turn = 0; turn < 4; turn += 1) if (!(await send(bytes))) return false;
    return true;
  })();
  const well = await recorder.openSession('well', 'test');
  await sender(well)(bytes);
  assert.equal((await well.finish()).bytes, bytes.length, 'the other volume');
  await until('the publisher to be held back', () => session.status().heldBack || told.length > 0);
  assert.equal(await sent, true, 'the publisher is let go on');
  assert.deepEqual(told, [[true, 0]]);
  await send(bytes);
  now += 60_000;
  await thaw();
  await until('the disk to have caught up', () => told.length === 2);
  const [, [, dropped] = [false, 0]] = told;
  assert.ok(dropped >= bytes.length, `${dropped} dropped`);
  assert.equal(recorder.measures.droppedBytes.get('cam'), dropped);
  await send(bytes);
  const summary = await session.finish();
  assert.equal(summary.bytes, 6 * bytes.length + bytes.length - dropped, 'what was not dropped is there');
  const parts = await Array.fromAsync(recorder.archive('cam').parts('cam', 0, Number.MAX_SAFE_INTEGER));
  const segments = parts.flatMap(({ reel }) => [...reel]);
  const gaps = segments.filter(({ startUs }, at) => at > 0 && startUs > endUs(segments[at - 1] as never) + 1000);
  assert.deepEqual(
    gaps.map(({ flags }) => gapReasonsOf(flags)),
    [['disk']],
  );
  const reel = host.recorded('cam');
  for (const { offset, length, crc32c: sum } of segments)
    assert.equal(crc32c(reel.subarray(offset, offset + length)), sum);
});

test('seconds to keep that are asked for while a recording ends are kept', async (t) => {
  const { host, freeze, thaw } = await hostOnDisk(t, {});
  const { recorder } = host;
  const { bytes } = await clip(10);
  await recorder.put('cam', { volume: 'main' });
  const session = await recorder.openSession('cam', 'test');
  session.append(bytes.subarray(0, 188 * 1000));
  await freeze();
  const { promise: ending, resolve } = Promise.withResolvers<void>();
  session.onDrain = resolve;
  const ordered = recorder.order('cam', { mode: 'off' });
  await ending;
  await recorder.put('cam', { preRecordSeconds: 10 });
  assert.equal(recorder.isRecording('cam'), true, 'it is not durable yet');
  await thaw();
  await ordered;
  session.append(bytes.subarray(188 * 1000));
  assert.ok(recorder.status('cam').kept.bytes > 0);
  await session.finish();
});

test('what a live publisher could not send while it was held back is told as the disk', async (t) => {
  // Ten times as fast as real time: both clocks, and the publisher.
  const speed = 10;
  const elapsed = (): number => performance.now() * speed;
  const began = now - elapsed();
  const { host, freeze, thaw } = await hostOnDisk(t, { elapsed, now: () => began + elapsed(), holdBackMs: 10_000 });
  const { recorder } = host;
  const { bytes } = await clip(10);
  const told: boolean[] = [];
  recorder.on('shedding', (_, dropping) => told.push(dropping));
  const session = await recorder.openSession('cam', 'test');
  const piece = 188 * 50;
  let at = 0;
  let goOn = true;
  session.onDrain = () => (goOn = true);
  const source = setInterval(
    () => {
      recorder.lookAtClock();
      if (!goOn) return;
      goOn = session.append(bytes.subarray(at, at + piece));
      at = at + piece < bytes.length ? at + piece : 0;
    },
    (piece / bytes.length) * (10_000 / speed),
  );
  t.after(() => clearInterval(source));
  await until('something durable', () => session.status().segments > 3);
  await freeze();
  await until('what comes to be dropped', () => told.length === 1);
  await thaw();
  await until('the disk to have caught up', () => told.length === 2);
  const before = session.status().segments;
  await until('more to be durable', () => session.status().segments > before + 1);
  const gaps = await recorder.gaps('cam', 0, Number.MAX_SAFE_INTEGER);
  // A busy machine delays this publisher, too: ten times as much by its own clock. Such a silence has no reason of ours.
  const reasons = gaps.map((gap) => gap.reasons).filter(({ length }) => length > 0);
  assert.deepEqual(reasons, [['disk']]);
});
