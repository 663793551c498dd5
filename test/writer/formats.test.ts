/** Kinds of transport streams, as ffmpeg makes them: each byte is in the reel, and each segment begins where a player can begin. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { segmentFlags } from '../../src/native.ts';
import { feed, hour, makeGround } from './ground.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'rv-formats-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const reel = 'dvr/cam/2026/11/21/14.ts';
const seconds = 6;
const video = ['-f', 'lavfi', '-t', String(seconds), '-i', 'testsrc2=size=160x90:rate=25'];
const sound = ['-f', 'lavfi', '-t', String(seconds), '-i', 'sine=frequency=440:sample_rate=48000'];
const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-keyint_min', '25', '-sc_threshold', '0'];

const make = (name: string, ...args: readonly string[]): Buffer => {
  const file = path.join(dir, `${name}.ts`);
  execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...args, '-f', 'mpegts', file]);
  return readFileSync(file);
};

/** Takes the random access indicators away: what is left to tell a keyframe by is the picture itself. */
const withoutIndicators = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes);
  for (let at = 0; at < copy.length; at += 188)
    if (((copy[at + 3] as number) & 0x20) !== 0 && (copy[at + 4] as number) > 0)
      copy[at + 5] = (copy[at + 5] as number) & ~0x40;
  return copy;
};

const framed204 = (bytes: Buffer): Buffer => {
  const parity = Buffer.alloc(16, 0xa5);
  const packets = Array.from({ length: bytes.length / 188 }, (_, n) => bytes.subarray(n * 188, n * 188 + 188));
  return Buffer.concat(packets.flatMap((packet) => [packet, parity]));
};

const plain = make('h264', ...video, ...sound, ...h264, '-c:a', 'aac');
const openGroups = make(
  'open',
  ...[...video, '-c:v', 'libx264', '-x264-params', 'open-gop=1:keyint=25:min-keyint=25:scenecut=0:bframes=2:aud=0'],
);
const kinds: Record<string, Buffer> = {
  'H.264 without access unit delimiters and indicators, open groups of pictures': withoutIndicators(openGroups),
  'HEVC without indicators': withoutIndicators(
    make(
      'hevc',
      ...video,
      '-c:v',
      'libx265',
      '-preset',
      'ultrafast',
      '-x265-params',
      'keyint=25:min-keyint=25:scenecut=0:log-level=none',
    ),
  ),
  'MPEG-2 video without indicators': withoutIndicators(
    make('mpeg2', ...video, '-c:v', 'mpeg2video', '-g', '25', '-bf', '2', '-sc_threshold', '1000000000'),
  ),
  'several programs': make(
    'programs',
    ...[...video, ...sound, '-map', '0', '-map', '1', '-map', '0', ...h264, '-c:a', 'mp2'],
    ...['-program', 'title=One:st=0:st=1', '-program', 'title=Two:st=2'],
  ),
  'packets of 192 bytes': make('m2ts', ...video, ...sound, ...h264, '-c:a', 'ac3', '-mpegts_m2ts_mode', '1'),
  'packets of 204 bytes': framed204(plain),
};

for (const [kind, bytes] of Object.entries(kinds)) {
  test(`${kind}: cut at keyframes, nothing lost`, async (t) => {
    const ground = makeGround(t);
    const stream = ground.writer.openStream({ name: 'cam', segmentMs: 2000, lastEndUs: null, volume: ground.volume });
    await feed(ground, stream, bytes, 1316, hour);
    const counters = ground.writer.counters(stream);
    await ground.writer.finish(stream);
    assert.ok(ground.bytes(reel).equals(bytes));
    assert.deepEqual([counters.garbageBytes, counters.syncLosses, counters.continuityErrors], [0, 0, 0]);
    assert.equal(counters.packets * counters.packetBytes, bytes.length);
    const { records, bad } = ground.index(reel);
    assert.equal(bad, 0);
    assert.equal(records.length, 3);
    assert.ok(Math.abs(records.reduce((sum, { duration }) => sum + duration, 0) - seconds * 90_000) < 10_000);
    for (const { flags, offset, length } of records) {
      assert.equal(flags & (segmentFlags.keyframe | segmentFlags.cutByTime), segmentFlags.keyframe);
      const file = path.join(dir, 'segment.ts');
      writeFileSync(file, bytes.subarray(offset, offset + length));
      const show = ['-select_streams', 'v:0', '-show_entries', 'frame=pict_type', '-of', 'csv=p=0'];
      const shown = execFileSync('ffprobe', ['-v', 'quiet', ...show, file]).toString();
      const first = shown.trim().split('\n')[0] ?? '';
      assert.match(first, /^I/, `begins with ${first}`);
    }
  });
}

test('Opus in private data, and sound that joins a picture in mid-stream', async (t) => {
  const opus = make('opus', ...sound, '-c:a', 'libopus');
  const ground = makeGround(t);
  const stream = ground.writer.openStream({ name: 'cam', segmentMs: 2000, lastEndUs: null, volume: ground.volume });
  await feed(ground, stream, Buffer.concat([opus, plain]), 1316, hour);
  const { tableChanges } = ground.writer.counters(stream);
  await ground.writer.finish(stream);
  assert.ok(ground.bytes(reel).equals(Buffer.concat([opus, plain])));
  assert.ok(tableChanges >= 1);
  const { records } = ground.index(reel);
  const joint = records.find(({ offset }) => offset >= opus.length);
  assert.equal(joint?.offset, opus.length + 188); // behind the packet that describes the service
  assert.ok((joint.flags & segmentFlags.discontinuity) !== 0);
  assert.ok(Math.abs(records.reduce((sum, { duration }) => sum + duration, 0) - 2 * seconds * 90_000) < 20_000);
});
