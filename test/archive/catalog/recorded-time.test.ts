import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { type RangePiece, type ReelFacts, reelFlags } from '../../../src/archive/catalog/catalog-reel.ts';
import { ReelRows } from '../../../src/archive/catalog/reel-rows.ts';
import { openTables } from '../../../src/archive/catalog/schema.ts';
import { hourUs } from '../../../src/archive/reel.ts';
import { mergeRange, type TimeRange } from '../../../src/archive/segment.ts';
import { someHour } from '../fixtures.ts';

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'reelvault-rows-'));
const fd = fs.openSync(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
const db = openTables(fd);
assert.ok(db);
const rows = new ReelRows(db);
after(() => {
  db.close();
  fs.closeSync(fd);
  fs.rmSync(directory, { recursive: true });
});

interface Reel {
  readonly hour: number;
  readonly state: 'open' | 'closed' | 'garbage';
  readonly damaged: boolean;
  readonly ranges: readonly TimeRange[];
}

/** Recorded time of an hour: whole, or parted by gaps around the millisecond that is none; it may begin early or end late by some seconds. */
const ranges = (hour: number): fc.Arbitrary<readonly TimeRange[]> =>
  fc.oneof(
    fc.constant([{ startUs: hour * hourUs, endUs: (hour + 1) * hourUs }]),
    fc
      .tuple(
        fc.integer({ min: -2000, max: 2000 }),
        fc.array(fc.tuple(fc.integer({ min: 1, max: 9e8 }), fc.constantFrom(1001, 4e6)), { maxLength: 4 }),
      )
      .map(([early, parts]) => {
        const found: TimeRange[] = [];
        let at = hour * hourUs + early;
        for (const [length, gap] of parts) {
          found.push({ startUs: at, endUs: at + length });
          at += length + gap;
        }
        return found;
      }),
  );

const reels = fc.uniqueArray(fc.integer({ min: someHour, max: someHour + 9 }), { maxLength: 10 }).chain((hours) =>
  fc.tuple(
    ...hours.map((hour) =>
      fc.record({
        hour: fc.constant(hour),
        state: fc.constantFrom('closed', 'closed', 'closed', 'open', 'garbage') as fc.Arbitrary<Reel['state']>,
        damaged: fc.nat(7).map((one) => one === 0),
        ranges: ranges(hour),
      }),
    ),
  ),
);

const put = ({ hour, state, damaged, ranges }: Reel): void => {
  const reel = { stream: 'cam', hour };
  const facts: ReelFacts = { bytes: 1, segments: 1, flags: damaged ? reelFlags.damaged : 0, ranges };
  rows.setClosed(reel, facts);
  if (state === 'open') rows.setOpen(reel);
  if (state === 'garbage') rows.setGarbage(reel);
};

/** What `ReelRows.ranges` promises, row by row. */
const plain = (held: readonly Reel[], firstHour: number, lastHour: number, fromUs: number, toUs: number) => {
  const pieces: RangePiece[] = [];
  const known = (): TimeRange[] => {
    const last = pieces.at(-1);
    if (last !== undefined && 'ranges' in last) return last.ranges as TimeRange[];
    pieces.push({ ranges: [] });
    return known();
  };
  for (const { hour, state, damaged, ranges } of held.toSorted((a, b) => a.hour - b.hour)) {
    if (hour < firstHour || hour > lastHour || state === 'garbage') continue;
    const [first, last] = [ranges.at(0)?.startUs, ranges.at(-1)?.endUs];
    if (state === 'open' || damaged) pieces.push({ hour });
    else if (first === undefined || last === undefined || last <= fromUs || first >= toUs) continue;
    else if (first < fromUs || last > toUs) pieces.push({ hour });
    else for (const range of ranges) mergeRange(known(), range);
  }
  return pieces;
};

test('rows are put together as they would be one by one', () => {
  const us = fc.integer({ min: (someHour - 1) * hourUs, max: (someHour + 11) * hourUs });
  const edge = fc.integer({ min: someHour - 1, max: someHour + 11 }).map((hour) => hour * hourUs);
  const end = fc.oneof(us, edge, fc.constantFrom(0, Number.MAX_SAFE_INTEGER));
  const hour = fc.integer({ min: someHour - 1, max: someHour + 10 });
  fc.assert(
    fc.property(reels, fc.array(fc.tuple(hour, hour, end, end), { minLength: 5, maxLength: 9 }), (held, spans) => {
      for (let hour = someHour; hour < someHour + 10; hour += 1) rows.drop({ stream: 'cam', hour });
      for (const reel of held) put(reel);
      for (const span of spans) assert.deepEqual(rows.ranges('cam', ...span), plain(held, ...span));
    }),
    { numRuns: 300 },
  );
});

test('a stream without rows has nothing', () => {
  assert.deepEqual(rows.ranges('none', 0, someHour, 0, Number.MAX_SAFE_INTEGER), []);
});
