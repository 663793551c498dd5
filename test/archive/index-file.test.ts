import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeSegments as decodeInPlace } from '../../src/archive/index-file.ts';
import type { Segment } from '../../src/archive/segment.ts';
import { ReelError } from '../../src/errors.ts';
import { encodeHeader, encodeIndex, encodeRecord, run, segmentsOf, someHour } from './fixtures.ts';

const segments = run(someHour, 5);
const reelBytes = 5 * 188;
const decodeSegments = (bytes: Buffer, hour: number, reelBytes: number): Segment[] => [
  ...decodeInPlace(Buffer.from(bytes), hour, reelBytes),
];

test('every record comes back as it was written', () => {
  assert.deepEqual(decodeSegments(encodeIndex(someHour, segments), someHour, reelBytes), segments);
});

test('a torn tail ends the list, and a damaged record costs only itself', () => {
  const bytes = encodeIndex(someHour, segments);
  for (let cut = 96; cut < bytes.length; cut += 1)
    assert.equal(decodeSegments(bytes.subarray(0, cut), someHour, reelBytes).length, Math.floor(cut / 96) - 1);
  fc.assert(
    fc.property(fc.integer({ min: 96, max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] as number) ^ flip;
      assert.deepEqual(
        decodeSegments(damaged, someHour, reelBytes),
        segments.filter((_, place) => place !== Math.floor(at / 96) - 1),
      );
    }),
  );
});

test('a record that names bytes outside the reel, or bytes of the one before, does not count', () => {
  const bytes = encodeIndex(someHour, segments);
  assert.equal(decodeSegments(bytes, someHour, reelBytes - 1).length, 4);
  const [first, second] = segmentsOf(someHour, [{ at: 0 }, { at: 2 }]);
  assert.ok(first && second);
  const overlapping = Buffer.concat([
    encodeHeader(someHour),
    encodeRecord(first),
    encodeRecord({ ...second, offset: 187 }),
  ]);
  assert.equal(decodeSegments(overlapping, someHour, reelBytes).length, 1);
});

test('a header of another hour, or none, is refused', () => {
  const good = encodeIndex(someHour, segments);
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(96), good.subarray(0, 95), encodeIndex(someHour + 1, segments)])
    assert.throws(
      () => decodeSegments(bytes, someHour, reelBytes),
      (error) => error instanceof ReelError && error.code === 'archive-damaged',
    );
});
