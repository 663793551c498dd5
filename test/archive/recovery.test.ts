/** Recovery must not lose what was durable, whatever befell the files since. */
import assert from 'node:assert/strict';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { lookAtIndex } from '../../src/archive/check/reel-content.ts';
import { markerPath } from '../../src/archive/reel.ts';
import { decodeIndex, recoverReel } from '../../src/native.ts';
import { host } from '../command.ts';
import { clip } from '../ingest/clip.ts';
import { crc32c, readReel } from './page-decoder.ts';
import { filesOf, RecordedVolume, tenOClock } from './recorded.ts';

let volume: RecordedVolume;
beforeEach(async () => {
  volume = await RecordedVolume.start();
  await volume.record('cam', tenOClock, { evidence: false });
});
afterEach(() => volume.stop());

const files = filesOf('cam', tenOClock);
const at = (name: string): string => path.join(volume.root, name);
const recover = () => volume.host.recorder.recoverReel('main', 'cam', tenOClock);
/** A comparison that fails fast: a difference of buffers takes minutes to print. */
const same = (got: Buffer, wanted: Buffer): void =>
  assert.ok(
    got.equals(wanted),
    `${got.length} bytes for ${wanted.length}, the first other one at ${wanted.findIndex((byte, place) => byte !== got[place])}`,
  );
/** As its writer left it: the clock of these tests is not the one that files get their times by. */
const writtenAt = (name: string, hour: number): void => utimesSync(at(name), hour * 3600 + 4, hour * 3600 + 4);
const withHole = (reel: Buffer): Buffer => Buffer.from(reel).fill(0, 40 * 512, 41 * 512);

test('a closed reel that lost its index and a sector: nothing is cut, and all around the hole is found again', async () => {
  const damaged = withHole(volume.read(files.ts));
  volume.write(files.ts, damaged);
  rmSync(at(files.idx));
  const { cutBytes, indexed, leftOver } = await recover();
  assert.deepEqual([cutBytes, indexed + leftOver], [0, damaged.length]);
  assert.ok(leftOver >= 512 && leftOver < 512 + 2 * 188, `${leftOver}`);
  same(volume.read(files.ts), damaged);
  const found = lookAtIndex({
    files: { reel: files.ts, index: files.idx, signature: files.sig },
    ...{ bytes: volume.read(files.idx), reelBytes: damaged.length, hour: tenOClock, limitUs: undefined },
  });
  assert.deepEqual(
    found.findings.map(({ code }) => code),
    ['reel-hole'],
  );
});

test('what a crash left open ends at the hole', async () => {
  volume.write(files.ts, withHole(volume.read(files.ts)));
  rmSync(at(files.idx));
  writeFileSync(at(markerPath('cam')), `${files.ts}\n`);
  const { cutBytes, leftOver } = await recover();
  assert.ok(cutBytes > 0);
  assert.equal(leftOver, 0);
  assert.equal(volume.read(files.ts).length, Math.floor((40 * 512) / 188) * 188);
});

test('a session in the hour of such a reel goes on behind all of it', async () => {
  const damaged = withHole(volume.read(files.ts));
  volume.write(files.ts, damaged);
  writtenAt(files.ts, tenOClock);
  writeFileSync(at(files.idx), '');
  await volume.record('cam', tenOClock, { evidence: false, seconds: 600 });
  const { bytes } = await clip(4);
  same(volume.read(files.ts), Buffer.concat([damaged, bytes]));
  const { records, bad } = decodeIndex(volume.read(files.idx), damaged.length + bytes.length);
  assert.equal(bad, 0);
  const fresh = records.filter(({ offset }) => offset >= damaged.length);
  assert.equal(
    fresh.reduce((sum, { length }) => sum + length, 0),
    bytes.length,
  );
  assert.ok((await volume.host.recorder.openArchive('main').reel('cam', tenOClock)).length === records.length);
});

test('an index of another hour is replaced before a session goes on in the reel, and what is recorded is played', async () => {
  await volume.record('cam', tenOClock + 1, { evidence: false });
  const next = filesOf('cam', tenOClock + 1);
  const reel = volume.read(next.ts);
  writtenAt(next.ts, tenOClock + 1);
  copyFileSync(at(files.idx), at(next.idx));
  await volume.record('cam', tenOClock + 1, { evidence: false, seconds: 600 });
  const found = readReel(volume.read(next.idx), volume.read(next.ts));
  same(Buffer.concat(found.records.map(({ bytes }) => bytes)), Buffer.concat([reel, (await clip(4)).bytes]));
  const archive = volume.host.recorder.openArchive('main');
  assert.equal((await archive.reel('cam', tenOClock + 1)).length, found.records.length);
});

test('recovery goes by what is on disk, not by what the page cache still has of it', async () => {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(path.join(os.tmpdir(), 'reelvault-cache-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const [image, root] = [path.join(folder, 'image'), path.join(folder, 'root')];
  mkdirSync(root);
  await host('truncate', ['-s', '32M', image]);
  await host('mkfs.ext4', ['-q', image]);
  await host('mount', ['-o', 'loop', image, root]);
  stack.defer(async () => void (await host('umount', [root])));
  const reel = path.join(root, files.ts);
  mkdirSync(path.dirname(reel), { recursive: true });
  const bytes = volume.read(files.ts);
  writeFileSync(reel, bytes);
  await host('sync', ['-f', reel]);
  same(readFileSync(reel), bytes);
  // As after a write-back that failed: the cache has the new bytes, the disk has others, and nobody says so any more.
  const packet = bytes.subarray(100 * 188, 102 * 188);
  const place = readFileSync(image).indexOf(packet) + 100;
  assert.ok(place > 100 && packet[100] !== 0);
  await host('dd', [`of=${image}`, 'bs=1', `seek=${place}`, 'conv=notrunc', 'count=1', 'if=/dev/zero', 'status=none']);
  same(readFileSync(reel), bytes); // the cache does not know
  const fd = openSync(root, 'r');
  stack.defer(() => closeSync(fd));
  const { records } = await recoverReel(fd, files.ts, { closed: false });
  assert.ok(records > 0);
  const seen = Buffer.from(bytes).fill(0, 100 * 188 + 100, 100 * 188 + 101);
  for (const { offset, length, crc32c: sum } of decodeIndex(readFileSync(path.join(root, files.idx))).records)
    assert.equal(sum, crc32c(seen.subarray(offset, offset + length)));
});
