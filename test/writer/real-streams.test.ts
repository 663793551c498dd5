/** Streams as ffmpeg makes them, and as bad connections leave them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { type ReelIndex, recoverReel, segmentFlags, type WriterErrorEvent } from '../../src/native.ts';
import { feed, hour, makeClip, makeGround } from './ground.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'rv-real-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const clip = makeClip(path.join(dir, 'clip.ts'));
const reel = 'dvr/cam/2026/11/21/14.ts';
const base = { name: 'cam', segmentMs: 2000, lastEndUs: null };
const ticksOf = (index: ReelIndex): number => index.records.reduce((sum, record) => sum + record.duration, 0);

test('each segment plays by itself and begins with a keyframe', async (t) => {
  const ground = makeGround(t);
  const stream = ground.writer.openStream({ ...base, volume: ground.volume });
  await feed(ground, stream, clip, 65536, hour);
  await ground.writer.finish(stream);
  for (const { offset, length } of ground.index(reel).records) {
    const file = path.join(dir, 'segment.ts');
    writeFileSync(file, ground.bytes(reel).subarray(offset, offset + length));
    const frames = ['-select_streams', 'v', '-show_entries', 'frame=key_frame,pict_type', '-of', 'csv=p=0'];
    const shown = execFileSync('ffprobe', ['-v', 'error', ...frames, file])
      .toString()
      .split('\n');
    assert.match(shown[0] ?? '', /^1,I/);
    assert.equal(shown.filter((line) => line !== '').length, 50);
  }
});

test('pieces of any size give the same reel and the same index', async () => {
  const reels = new Set<string>();
  const size = fc.oneof(fc.constantFrom(1316, 65536, 188, 187, 189), fc.integer({ min: 40, max: 200_000 }));
  await fc.assert(
    fc.asyncProperty(fc.array(size, { minLength: 1, maxLength: 5 }), async (sizes) => {
      const done: (() => unknown)[] = [];
      const ground = makeGround({ after: (run: () => unknown) => done.push(run) }, {}, '/dev/shm');
      const stream = ground.writer.openStream({ ...base, volume: ground.volume });
      for (let at = 0, turn = 0; at < clip.length; turn++) {
        const piece = clip.subarray(at, at + (sizes[turn % sizes.length] ?? 1));
        at += piece.length;
        await feed(ground, stream, piece, piece.length, hour);
      }
      await ground.writer.finish(stream);
      assert.ok(ground.bytes(reel).equals(clip));
      reels.add(JSON.stringify(ground.index(reel)));
      for (const run of done) await run();
    }),
    { numRuns: 25 },
  );
  assert.equal(reels.size, 1);
});

test('a publisher that starts in the middle of a packet and stops in the middle of one', async (t) => {
  const ground = makeGround(t);
  const part = clip.subarray(100_001, 300_033);
  const stream = ground.writer.openStream({ ...base, volume: ground.volume });
  await feed(ground, stream, part, 1316, hour);
  assert.ok(ground.writer.counters(stream).garbageBytes < 188);
  await ground.writer.finish(stream);
  assert.ok(ground.bytes(reel).equals(part));
  const { records, bad } = ground.index(reel);
  assert.equal(bad, 0);
  assert.ok(records.length >= 2);
  assert.equal((records[0]?.flags ?? 0) & segmentFlags.keyframe, 0);
  assert.equal((records[1]?.flags ?? 0) & segmentFlags.keyframe, segmentFlags.keyframe);
});

test('PTS that wrap in mid-stream leave durations and times whole', async (t) => {
  const wrapping = makeClip(path.join(dir, 'wrap.ts'), ['-output_ts_offset', '95438'], 10);
  const ground = makeGround(t);
  const stream = ground.writer.openStream({ ...base, volume: ground.volume });
  await feed(ground, stream, wrapping, 65536, hour);
  await ground.writer.finish(stream);
  const index = ground.index(reel);
  assert.equal(ticksOf(index), 900_000);
  assert.ok((index.records[0]?.firstPts ?? 0) < 2 ** 33);
  assert.ok((index.records.at(-1)?.firstPts ?? 0) > 2 ** 33);
  for (const record of index.records.slice(1)) assert.equal(record.flags & segmentFlags.discontinuity, 0);
});

test('audio alone is cut too', async (t) => {
  const file = path.join(dir, 'audio.ts');
  const sine = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000', '-t', '7'];
  execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...sine, '-c:a', 'aac', '-f', 'mpegts', file]);
  const ground = makeGround(t);
  const stream = ground.writer.openStream({ ...base, volume: ground.volume });
  const bytes = execFileSync('cat', [file]);
  await feed(ground, stream, bytes, 1316, hour);
  await ground.writer.finish(stream);
  assert.ok(ground.bytes(reel).equals(bytes));
  const index = ground.index(reel);
  assert.equal(index.records.length, 4);
  assert.ok(Math.abs(ticksOf(index) - 7 * 90_000) < 45_000); // one PES packet holds several frames
});

test('the clock of the wall decides the hour, and the next reel goes on without a gap', async (t) => {
  const ground = makeGround(t);
  const stream = ground.writer.openStream({ ...base, volume: ground.volume });
  await feed(ground, stream, clip, 1316, hour + 3_600_000_000 - 3_000_000);
  await ground.writer.finish(stream);
  const [first = '', second = ''] = ground.reels();
  assert.deepEqual([first, second], [reel, 'dvr/cam/2026/11/21/15.ts']);
  assert.ok(Buffer.concat([ground.bytes(first), ground.bytes(second)]).equals(clip));
  const before = ground.index(first).records.at(-1);
  const next = ground.index(second).records[0];
  assert.equal(next?.startUs, (before?.startUs ?? 0) + Math.round(((before?.duration ?? 0) * 100) / 9));
});

for (const [what, bytes] of [
  ['zeros', Buffer.alloc(200_000)],
  ['text', Buffer.from('GET / HTTP/1.1\r\nHost: example\r\n\r\n'.repeat(5000))],
] as const) {
  test(`${what} are no transport stream: an error event, and append throws it from then on`, async (t) => {
    const ground = makeGround(t);
    const stream = ground.writer.openStream({ ...base, volume: ground.volume });
    await assert.rejects(feed(ground, stream, bytes, 10_000, hour), (error) => {
      const { code, message } = error as { code: string; message: string };
      return /^(not-mpegts|recording-stopped)$/.test(code) && message.startsWith('Expected ');
    });
    await ground.writer.finish(stream);
    const errors = ground.events.filter((event): event is WriterErrorEvent => event.type === 'error');
    assert.equal(errors.length, 1);
    assert.equal(errors[0]?.error.code, 'not-mpegts');
    assert.match(errors[0]?.error.message ?? '', what === 'zeros' ? / 00 00 00 00 / : / 47 45 54 20 /);
    assert.deepEqual(ground.reels(), []);
  });
}

test('recoverReel finds the tail of a reel that was never closed, and refuses one that is being written', async (t) => {
  const ground = makeGround(t);
  const stream = ground.writer.openStream({ ...base, volume: ground.volume });
  await feed(ground, stream, clip, 65536, hour);
  while (!ground.events.some((event) => event.type === 'durable')) await new Promise((wake) => setTimeout(wake, 5));
  await assert.rejects(recoverReel(ground.fd, reel, { closed: false }), { code: 'stream-busy' });
  await ground.writer.finish(stream);
  writeFileSync(path.join(ground.dir, reel), Buffer.concat([clip, clip.subarray(0, 100_000), Buffer.alloc(4096)]));
  const report = await recoverReel(ground.fd, reel, { closed: false });
  assert.equal(report.added, 1);
  assert.equal(report.cutBytes, 4096 + (100_000 % 188));
  assert.equal(ground.index(reel).bad, 0);
  assert.deepEqual(await recoverReel(ground.fd, reel, { closed: false }), { ...report, added: 0, cutBytes: 0 });
  await assert.rejects(recoverReel(ground.fd, 'dvr/cam/2026/11/21/03.ts', { closed: false }), { code: 'not-found' });
  await assert.rejects(recoverReel(ground.fd, '../../etc/passwd.ts', { closed: false }), { code: 'io-error' });
});
