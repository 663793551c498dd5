/** An index is read on where it has grown, and anew where it is another. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { VolumeArchive } from '../../src/archive/archive.ts';
import { indexPath } from '../../src/archive/reel.ts';
import type { Segment } from '../../src/archive/segment.ts';
import { encodeIndex, encodeRecord, run, someHour, TemporaryVolume } from './fixtures.ts';

const volume = new TemporaryVolume();
after(() => volume.remove());
const index = path.join(volume.root, indexPath('cam', someHour));
const segments = run(someHour, 40);
const bytes = encodeIndex(someHour, segments);

let archive: VolumeArchive;
const read = async (): Promise<readonly Segment[]> => [...(await archive.reel('cam', someHour))];
/** As the writer does: in place. */
const put = (at: number, piece: Buffer): void => {
  const fd = fs.openSync(index, 'r+');
  fs.writeSync(fd, piece, 0, piece.length, at);
  fs.closeSync(fd);
};
const slot = (record: number): number => (record + 1) * 96;

beforeEach(() => {
  fs.rmSync(index, { force: true });
  volume.reel('cam', segments);
  fs.truncateSync(index, slot(20));
  archive = new VolumeArchive({ files: volume.files });
});

test('whatever is added, torn records too, the segments are those of the whole index', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 12 }), async (steps) => {
      archive = new VolumeArchive({ files: volume.files });
      fs.truncateSync(index, 96);
      let size = 96;
      for (const step of [0, ...steps]) {
        put(size, bytes.subarray(size, size + step));
        size = Math.min(size + step, bytes.length);
        assert.deepEqual(await read(), segments.slice(0, Math.floor(size / 96) - 1));
      }
    }),
    { numRuns: 50 },
  );
});

test('records that were read are not read again', async () => {
  const former = await archive.reel('cam', someHour);
  assert.equal(former.length, 20);
  put(slot(3), Buffer.alloc(96)); // would be missed
  put(slot(20), encodeRecord(segments[20] as Segment));
  const grown = await read();
  assert.deepEqual(grown, segments.slice(0, 21));
  assert.equal(archive.cached, 21);
  assert.deepEqual([...former], segments.slice(0, 20), 'what a reader holds does not change under it');
});

test('two that ask at the same time, while it grows', async () => {
  const first = read();
  put(slot(20), bytes.subarray(slot(20), slot(30)));
  const second = read();
  put(slot(30), bytes.subarray(slot(30)));
  assert.deepEqual(
    (await Promise.all([first, second, read()])).map(({ length }) => length),
    [20, 30, 40],
  );
  assert.equal(archive.cached, 40);
});

/** Of other segments than those that were read; longer than what was read. */
const other = run(someHour, 30, 1);
/** As recovery leaves it: one record made anew in the middle. */
const mended = segments.slice(0, 25).map((segment) => (segment.sequence === 3 ? { ...segment, crc32c: 1 } : segment));
const replace = (by: readonly Segment[]): void => {
  fs.writeFileSync(`${index}.new`, encodeIndex(someHour, by));
  fs.renameSync(`${index}.new`, index);
};
const anew: [what: string, change: () => void, found: readonly Segment[]][] = [
  ['replaced', () => replace(other), other],
  ['replaced by one with the same last record', () => replace(mended), mended],
  ['written anew into the same file', () => fs.writeFileSync(index, encodeIndex(someHour, other)), other],
  ['cut', () => fs.truncateSync(index, slot(5)), segments.slice(0, 5)],
  [
    'cut, and gone on with another record',
    () => {
      fs.truncateSync(index, slot(19));
      put(slot(19), Buffer.concat(other.slice(19).map(encodeRecord)));
    },
    [...segments.slice(0, 19), ...other.slice(19)],
  ],
  [
    'changed and as long as before',
    () => {
      put(slot(0), encodeRecord(other[0] as Segment));
      fs.utimesSync(index, 1, 1); // both may have been written within one tick of the clock of files
    },
    [other[0] as Segment, ...segments.slice(1, 20)],
  ],
];
for (const [what, change, found] of anew)
  test(`an index that was ${what} is read anew`, async () => {
    assert.equal((await read()).length, 20);
    change();
    assert.deepEqual(await read(), found);
    assert.deepEqual(await read(), found);
  });

test('another header: read anew, and refused where it is no header of this hour', async () => {
  assert.equal((await read()).length, 20);
  put(0, encodeIndex(someHour + 1, []));
  put(slot(20), encodeRecord(segments[20] as Segment));
  await assert.rejects(read(), { code: 'archive-damaged' });
  put(0, bytes.subarray(0, 96));
  put(slot(21), encodeRecord(segments[21] as Segment));
  assert.deepEqual(await read(), segments.slice(0, 22));
});

test('an index with a record that does not hold is read anew each time: recovery may put it right', async () => {
  put(slot(3), Buffer.alloc(96));
  assert.equal((await read()).length, 19);
  put(slot(3), encodeRecord(segments[3] as Segment));
  put(slot(20), encodeRecord(segments[20] as Segment));
  assert.deepEqual(await read(), segments.slice(0, 21));
});
