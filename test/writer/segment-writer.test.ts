import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { gapFlags, gapReasonsOf } from '../../src/archive/gap-reasons.ts';
import { crc32c, segmentFlags } from '../../src/native.ts';
import { feed, hour, makeClip, makeGround } from './ground.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'rv-clip-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const clip = makeClip(path.join(dir, 'clip.ts'));

for (const backend of ['io_uring', 'pwrite'] as const) {
  for (const base of [os.tmpdir(), '/dev/shm']) {
    test(`a stream becomes a reel with the same bytes (${backend}, ${base})`, async (t) => {
      const ground = makeGround(t, { backend }, base);
      assert.equal(ground.writer.backend, backend);
      const stream = ground.writer.openStream({
        volume: ground.volume,
        name: 'cam',
        segmentMs: 2000,
        evidence: true,
        lastEndUs: null,
      });
      await feed(ground, stream, clip, 1316, hour);
      await ground.writer.finish(stream);
      assert.deepEqual(ground.reels(), ['dvr/cam/2026/11/21/14.ts']);
      const reel = ground.bytes('dvr/cam/2026/11/21/14.ts');
      assert.ok(reel.equals(clip));
      const { records, bad, hourUs, evidence } = ground.index('dvr/cam/2026/11/21/14.ts');
      assert.deepEqual(
        { bad, hourUs, evidence, count: records.length },
        { bad: 0, hourUs: hour, evidence: true, count: 4 },
      );
      let end = 0;
      let endUs = hour;
      for (const [sequence, record] of records.entries()) {
        const bytes = reel.subarray(record.offset, record.offset + record.length);
        assert.equal(record.offset, end);
        assert.equal(record.startUs, endUs);
        assert.equal(record.sequence, sequence);
        assert.equal(record.crc32c, crc32c(bytes));
        assert.deepEqual(record.sha256, createHash('sha256').update(bytes).digest());
        assert.equal(record.flags & (segmentFlags.keyframe | segmentFlags.tables), 5);
        end += record.length;
        endUs += Math.round((record.duration * 100) / 9);
      }
      assert.equal(end, clip.length);
      assert.equal(endUs, hour + 8_000_000);
      const durable = ground.events.flatMap((event) => (event.type === 'durable' ? event.records : []));
      assert.deepEqual(durable, records);
      assert.deepEqual(readdirSync(path.join(ground.dir, '.reelvault/open')), []);
      assert.equal(statSync(path.join(ground.dir, 'dvr/cam/2026/11/21/14.ts')).mode & 0o777, 0o640);
      assert.equal(statSync(path.join(ground.dir, 'dvr/cam/2026')).mode & 0o777, 0o750);
    });
  }
}

test('while a session is open its marker names the reel', async (t) => {
  const ground = makeGround(t);
  const stream = ground.writer.openStream({ volume: ground.volume, name: 'cam', segmentMs: 2000, lastEndUs: null });
  await feed(ground, stream, clip, 65536, hour);
  const marker = path.join(ground.dir, '.reelvault/open/cam');
  while (!ground.events.some((event) => event.type === 'durable'))
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(ground.bytes('.reelvault/open/cam').toString(), 'dvr/cam/2026/11/21/14.ts\n');
  await ground.writer.finish(stream);
  assert.ok(!existsSync(marker));
});

test('two sessions of one hour share a reel, and the second starts where the first ended', async (t) => {
  const ground = makeGround(t);
  const first = ground.writer.openStream({ volume: ground.volume, name: 'cam', segmentMs: 2000, lastEndUs: null });
  await feed(ground, first, clip, 65536, hour);
  await ground.writer.finish(first);
  const second = ground.writer.openStream({
    volume: ground.volume,
    name: 'cam',
    segmentMs: 2000,
    lastEndUs: hour + 8_000_000,
  });
  await feed(ground, second, clip, 777, hour + 1_000_000);
  await ground.writer.finish(second);
  const [reel = ''] = ground.reels();
  assert.ok(ground.bytes(reel).equals(Buffer.concat([clip, clip])));
  const { records } = ground.index(reel);
  assert.equal(records.length, 8);
  assert.equal(records[4]?.startUs, hour + 8_000_000);
  assert.ok((records[4]?.flags ?? 0) & segmentFlags.discontinuity);
  for (const record of records) {
    assert.equal(record.crc32c, crc32c(ground.bytes(reel).subarray(record.offset, record.offset + record.length)));
  }
});

test('why time is missing before a session is durable with its first segment', async (t) => {
  const ground = makeGround(t);
  const open = (change: object): number =>
    ground.writer.openStream({ volume: ground.volume, name: 'cam', segmentMs: 2000, lastEndUs: null, ...change });
  const first = open({});
  await feed(ground, first, clip, 65536, hour);
  await ground.writer.finish(first);
  const gapReasons = gapFlags(['ordered-off', 'locked', 'unexplained']);
  const second = open({ lastEndUs: hour + 8_000_000, gapReasons });
  await feed(ground, second, clip, 65536, hour + 60_000_000);
  await ground.writer.finish(second);
  const [reel = ''] = ground.reels();
  const told = ground.index(reel).records.map(({ flags }) => gapReasonsOf(flags));
  assert.deepEqual(told, [[], [], [], [], ['ordered-off', 'locked', 'unexplained'], [], [], []]);
});

test('a session without bytes leaves no reel', async (t) => {
  const ground = makeGround(t);
  const stream = ground.writer.openStream({ volume: ground.volume, name: 'cam', segmentMs: 2000, lastEndUs: null });
  await ground.writer.finish(stream);
  assert.deepEqual(ground.reels(), []);
});
