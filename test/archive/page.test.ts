/** Files that the real recorder has written, read by somebody who has only docs/archive.md. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { markerPath } from '../../src/archive/reel.ts';
import { clip, countFrames, playThrough } from '../ingest/clip.ts';
import { until, uuid } from '../ingest/host.ts';
import { crc32c, type PageReel, readReel, readSignature } from './page-decoder.ts';
import { filesOf, RecordedVolume, tenOClock } from './recorded.ts';

let volume: RecordedVolume;
before(async () => {
  volume = await RecordedVolume.start();
});
after(() => volume.stop());

const read = (stream: string, hour: number): PageReel => {
  const { ts, idx } = filesOf(stream, hour);
  return readReel(volume.read(idx), volume.read(ts));
};
const keyframe = 1;
const discontinuity = 2;
const tables = 4;
const sessionEnd = 16;

test('the checksum is the one of RFC 3720', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
});

test('every segment of sessions with and without evidence, in one hour and the next: bytes, sums, times and flags', async () => {
  await volume.record('cam', tenOClock);
  await volume.record('cam', tenOClock, { evidence: false, seconds: 600 });
  await volume.record('cam', tenOClock + 1);
  const { bytes } = await clip(4);
  const first = read('cam', tenOClock);
  const next = read('cam', tenOClock + 1);
  const written = (reel: PageReel): Buffer => Buffer.concat(reel.records.map((record) => record.bytes));
  assert.ok(written(first).equals(Buffer.concat([bytes, bytes])));
  assert.ok(written(next).equals(bytes));
  for (const [reel, hour] of [[first, tenOClock] as const, [next, tenOClock + 1] as const]) {
    assert.equal(reel.hourUs, BigInt(hour) * 3_600_000_000n);
    assert.equal(reel.uuid, uuid.replaceAll('-', ''));
    assert.equal(reel.evidence, true);
  }
  const half = first.records.length / 2;
  for (const [at, { flags, firstPts, duration, startUs, sha256 }] of first.records.entries()) {
    const inSession = at % half;
    assert.equal(flags & keyframe, keyframe);
    assert.equal(flags & tables, tables);
    assert.equal((flags & discontinuity) !== 0, inSession === 0, `record ${at}`);
    assert.equal((flags & sessionEnd) !== 0, inSession === half - 1, `record ${at}`);
    assert.equal(sha256 === undefined, at >= half, 'only the first session was recorded as evidence');
    const former = first.records[at - 1];
    if (inSession === 0) assert.equal(startUs, first.hourUs + (at === 0 ? 0n : 600_000_000n));
    else assert.equal(firstPts, (former?.firstPts ?? 0n) + BigInt(former?.duration ?? 0));
    assert.ok(duration > 0);
  }
  const seconds = first.records.slice(0, half).reduce((sum, { duration }) => sum + duration, 0) / 90_000;
  assert.ok(Math.abs(seconds - 4) < 0.1, `${seconds} s`);
});

test('signatures, their chain, its head, and the marker of a reel that is being written', async () => {
  const [key] = volume.host.keys.list();
  assert.ok(key);
  const signatures = [tenOClock, tenOClock + 1].map((hour) =>
    readSignature(volume.read(filesOf('cam', hour).sig), read('cam', hour), key.publicKey),
  );
  const [first, next] = signatures;
  assert.ok(first && next);
  assert.deepEqual([first.number, next.number, first.stream], [1n, 2n, 'cam']);
  assert.equal(first.records, read('cam', tenOClock).records.length);
  assert.equal(first.hashed, first.records / 2);
  assert.ok(first.previous.every((byte) => byte === 0));
  assert.deepEqual(next.previous, first.digest);
  const head = volume.read('.reelvault/evidence/cam').toString('latin1');
  assert.equal(head, `2 ${tenOClock + 1} ${next.digest.toString('hex')}\n`);

  await volume.host.recorder.put('open', { evidence: false });
  volume.at(tenOClock + 2);
  const session = await volume.host.recorder.openSession('open', 'test');
  session.append((await clip(4)).bytes);
  await until('durable segments', () => session.status().segments > 1);
  assert.equal(volume.read(markerPath('open')).toString('latin1'), `${filesOf('open', tenOClock + 2).ts}\n`);
  await session.finish();
  assert.throws(() => volume.read(markerPath('open')), { code: 'ENOENT' });
});

test('a reel is a file that players take as it is', async () => {
  const { frames } = await clip(4);
  const file = `${volume.root}/${filesOf('cam', tenOClock).ts}`;
  assert.equal(await countFrames(file), 2 * frames);
  assert.equal(await playThrough(`${volume.root}/${filesOf('cam', tenOClock + 1).ts}`), '');
});
