import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { type ReelPart, VolumeArchive } from '../../src/archive/archive.ts';
import { hourPath, hourUs } from '../../src/archive/reel.ts';
import type { Segment } from '../../src/archive/segment.ts';
import { Jail } from '../../src/datapath/jail.ts';
import { ReelError } from '../../src/errors.ts';
import { encodeRecord, run, segmentsOf, someHour, TemporaryVolume } from './fixtures.ts';

let volume = new TemporaryVolume();
let archive = new VolumeArchive({ files: volume.files });
beforeEach(async () => {
  await volume.remove();
  volume = new TemporaryVolume();
  archive = new VolumeArchive({ files: volume.files });
});
after(() => volume.remove());

const start = someHour * hourUs;
const partsOf = async (fromUs: number, toUs: number): Promise<Segment[]> =>
  (await Array.fromAsync(archive.parts('cam', fromUs, toUs))).flatMap((part) => part.reel.slice(part.first, part.end));

test('an empty volume has nothing and says so without an error', async () => {
  assert.deepEqual(archive.streams(), []);
  assert.deepEqual(archive.hours('cam', 0, Number.MAX_SAFE_INTEGER), []);
  assert.deepEqual([...(await archive.reel('cam', someHour))], []);
  assert.equal(await archive.newest('cam'), undefined);
  assert.deepEqual(await archive.ranges('cam', 0, Number.MAX_SAFE_INTEGER), []);
});

test('hours are found across days, months and years, and strangers in the tree are passed over', async () => {
  const newYear = Date.UTC(2027, 0, 1) / 3_600_000;
  const hours = [someHour, someHour + 14, newYear - 1, newYear, newYear + 24 * 40];
  for (const hour of hours) volume.reel('cam', run(hour, 1));
  volume.write('dvr/cam/2026/11/21/notes.txt', 'x');
  volume.write('dvr/cam/2026/13/01/00.idx', 'x');
  volume.write('dvr/cam/lost+found/01/01/00.idx', 'x');
  assert.deepEqual(archive.hours('cam', 0, Number.MAX_SAFE_INTEGER), hours);
  assert.deepEqual(archive.hours('cam', (someHour + 1) * hourUs, newYear * hourUs), hours.slice(1, 4));
  assert.equal((await archive.newestReel('cam'))?.hour, hours.at(-1));
  assert.equal((await archive.newestReel('cam', newYear))?.hour, newYear - 1);
});

test('only the branches that a range touches are read', () => {
  for (let day = 0; day < 20; day += 1) volume.reel('cam', run(someHour + day * 24, 1));
  const listed: string[] = [];
  class CountingJail extends Jail {
    override readdir(name?: string) {
      listed.push(name ?? '');
      return super.readdir(name);
    }
  }
  const files = new CountingJail({ fd: volume.files.fd, label: 'volume test' });
  const counted = new VolumeArchive({ files });
  assert.equal(counted.hours('cam', start, start + hourUs).length, 1);
  assert.deepEqual(listed, ['dvr/cam', 'dvr/cam/2026', 'dvr/cam/2026/11', 'dvr/cam/2026/11/21']);
});

test('a range takes whole segments that touch it, also one that began in the hour before', async () => {
  volume.reel('cam', segmentsOf(someHour, [{ at: 3596 }, { at: 3598, seconds: 4 }]));
  volume.reel('cam', run(someHour + 1, 3, 2));
  const all = await partsOf(0, start + 10 * hourUs);
  assert.equal(all.length, 5);
  const hour = start + hourUs;
  assert.deepEqual(await partsOf(hour, hour + 2e6), all.slice(1, 2));
  assert.deepEqual(await partsOf(hour, hour + 2e6 + 1), all.slice(1, 3));
  assert.deepEqual(await partsOf(hour + 2e6, hour + 4e6), all.slice(2, 3));
  assert.deepEqual(await partsOf(hour + 8e6, hour + 9e6), []);
});

test('ranges join neighbours over hours and part where time is missing', async () => {
  volume.reel('cam', segmentsOf(someHour, [{ at: 3590 }, { at: 3592 }, { at: 3596 }, { at: 3598 }]));
  volume.reel('cam', run(someHour + 1, 2));
  assert.deepEqual(await archive.ranges('cam', 0, start + 9 * hourUs), [
    { startUs: start + 3590e6, endUs: start + 3594e6 },
    { startUs: start + 3596e6, endUs: start + hourUs + 4e6 },
  ]);
});

test('an index that grows is read again, and a torn record at its end is no error', async () => {
  const segments = run(someHour, 4);
  volume.reel('cam', segments.slice(0, 2), encodeRecord(segments[2] as Segment).subarray(0, 50));
  assert.deepEqual([...(await archive.reel('cam', someHour))], segments.slice(0, 2));
  volume.reel('cam', segments);
  assert.deepEqual([...(await archive.reel('cam', someHour))], segments);
  assert.equal(await archive.reel('cam', someHour), await archive.reel('cam', someHour), 'unchanged: the same list');
  fs.rmSync(path.join(volume.root, `dvr/cam/${hourPath(someHour)}.idx`));
  assert.deepEqual([...(await archive.reel('cam', someHour))], []);
});

test('what is not known durable is hidden everywhere', async () => {
  const segments = run(someHour, 4);
  volume.reel('cam', segments);
  archive.showUpTo('cam', (segments[1] as Segment).startUs);
  assert.deepEqual([...(await archive.reel('cam', someHour))], segments.slice(0, 2));
  assert.deepEqual(await archive.newest('cam'), segments[1]);
  assert.equal(await archive.find('cam', someHour, 2 * 188, 188), undefined);
  assert.deepEqual(await archive.ranges('cam', 0, start + hourUs), [{ startUs: start, endUs: start + 4e6 }]);
  archive.showUpTo('cam', -1);
  assert.equal(await archive.newest('cam'), undefined);
  archive.showAll('cam');
  assert.deepEqual(await archive.find('cam', someHour, 2 * 188, 188), segments[2]);
});

test('a segment is found by exactly its bytes', async () => {
  volume.reel('cam', run(someHour, 3));
  assert.equal((await archive.find('cam', someHour, 188, 188))?.sequence, 1);
  for (const [offset, length] of [
    [188, 187],
    [188, 376],
    [187, 188],
    [0, 564],
    [564, 188],
    [1e15, 188],
  ] as const)
    assert.equal(await archive.find('cam', someHour, offset, length), undefined, `${offset}-${length}`);
});

test('the cache stays within its bound', async () => {
  const small = new VolumeArchive({ files: volume.files, maxCachedSegments: 25 });
  for (let hour = 0; hour < 10; hour += 1) volume.reel('cam', run(someHour + hour, 10));
  for (let turn = 0; turn < 2; turn += 1)
    for (let hour = 0; hour < 10; hour += 1) assert.equal((await small.reel('cam', someHour + hour)).length, 10);
  assert.equal(small.cached, 20);
});

test('parts that pass by are those that stay, take no room, and are gone afterwards', async () => {
  const small = new VolumeArchive({ files: volume.files });
  for (let hour = 0; hour < 12; hour += 1) volume.reel('cam', run(someHour + hour, 10));
  const held = await small.reel('cam', someHour + 3);
  const span = ['cam', (someHour + 1) * hourUs + 3e6, (someHour + 11) * hourUs + 3e6] as const;
  const passed: ReelPart[] = [];
  const segments: Segment[] = [];
  for await (const part of small.passingParts(...span)) {
    segments.push(...part.reel.slice(part.first, part.end));
    passed.push(part);
  }
  assert.equal(small.cached, 10);
  assert.deepEqual(
    passed.map(({ hour, reel }) => [hour - someHour, reel.records.length]),
    Array.from({ length: 11 }, (_, at) => [at + 1, at + 1 === 3 ? 960 : 0]),
    'of what is kept the memory stays',
  );
  assert.throws(() => passed[0]?.reel.startUs(0), TypeError);
  assert.deepEqual([...held], run(someHour + 3, 10));
  await small.ranges(...span);
  assert.equal(small.cached, 10);
  assert.deepEqual(
    segments,
    (await Array.fromAsync(small.parts(...span))).flatMap((part) => part.reel.slice(part.first, part.end)),
  );
  assert.equal(small.cached, 120);
});

test('what passes by is hidden, too, where it is not known durable', async () => {
  volume.reel('cam', run(someHour, 10));
  const fresh = new VolumeArchive({ files: volume.files });
  fresh.showUpTo('cam', run(someHour, 4).at(-1)?.startUs as number);
  for await (const { first, end } of fresh.passingParts('cam', 0, (someHour + 1) * hourUs))
    assert.deepEqual([first, end], [0, 4]);
});

test('close ends reads and leaves no descriptor', async () => {
  volume.reel('cam', run(someHour, 3));
  const before = fs.readdirSync('/proc/self/fd').length;
  const streams = Array.from({ length: 5 }, () => archive.read('cam', someHour, 0, 563).on('error', () => {}));
  assert.equal(archive.reading, 5);
  await archive.close();
  assert.equal(archive.reading, 0);
  assert.ok(streams.every((stream) => stream.closed));
  assert.equal(fs.readdirSync('/proc/self/fd').length, before);
});

test('a damaged hour is passed over, told once, and told again when it broke anew', async () => {
  const told: string[] = [];
  archive = new VolumeArchive({
    files: volume.files,
    onDamaged: (stream, hour, { code }) => told.push(`${stream} ${hour - someHour} ${code}`),
  });
  for (const hour of [0, 1, 2]) volume.reel('cam', run(someHour + hour, 2));
  const bad = `dvr/cam/${hourPath(someHour + 1)}.idx`;
  const good = fs.readFileSync(path.join(volume.root, bad));
  volume.write(bad, 'no index');
  const hours = async (): Promise<number[]> =>
    (await Array.fromAsync(archive.parts('cam', start, start + 3 * hourUs))).map(({ hour }) => hour - someHour);
  assert.deepEqual(await hours(), [0, 2]);
  assert.deepEqual(await hours(), [0, 2]);
  assert.equal((await archive.newestReel('cam', someHour + 2))?.hour, someHour);
  assert.deepEqual(told, ['cam 1 archive-damaged']);
  await assert.rejects(archive.reel('cam', someHour + 1), { code: 'archive-damaged' });
  volume.write(bad, good);
  assert.deepEqual(await hours(), [0, 1, 2]);
  volume.write(bad, 'no index again');
  assert.deepEqual(await hours(), [0, 2]);
  assert.equal(told.length, 2);
});

test('a directory that cannot be read is passed over, told once, and told again when it broke anew', async () => {
  const told: string[] = [];
  const day = `dvr/cam/${hourPath(someHour).slice(0, 10)}`;
  let broken = true as boolean;
  class BadDisk extends Jail {
    override readdir(name?: string) {
      if (broken && name === day)
        throw new ReelError('io-error', { expected: '', got: 'EIO', details: { errno: 'EIO' } });
      return super.readdir(name);
    }
  }
  archive = new VolumeArchive({
    files: new BadDisk({ fd: volume.files.fd, label: 'volume' }),
    onUnlisted: (directory, { code }) => told.push(`${directory} ${code}`),
  });
  for (const stream of ['cam', 'door']) for (const hour of [0, 24]) volume.reel(stream, run(someHour + hour, 2));
  const hours = async (stream: string): Promise<number[]> =>
    (await Array.fromAsync(archive.parts(stream, start, start + 30 * hourUs))).map(({ hour }) => hour - someHour);
  for (let turn = 0; turn < 2; turn += 1) assert.deepEqual([await hours('cam'), await hours('door')], [[24], [0, 24]]);
  assert.deepEqual(told, [`${day} io-error`]);
  broken = false;
  assert.deepEqual(await hours('cam'), [0, 24]);
  broken = true;
  assert.deepEqual(await hours('cam'), [24]);
  assert.equal(told.length, 2);
});
