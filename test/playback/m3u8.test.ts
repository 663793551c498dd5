import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import HLS from 'hls-parser';
import type { ReelPart } from '../../src/archive/archive.ts';
import { hourPath, hourUs } from '../../src/archive/reel.ts';
import type { Segment } from '../../src/archive/segment.ts';
import { SegmentLines } from '../../src/native.ts';
import { livePlaylist } from '../../src/playback/live-playlist.ts';
import { placeWindow } from '../../src/playback/live-window.ts';
import { addPart, longestSeconds, tablesOwner } from '../../src/playback/m3u8.ts';
import { reelOf, segmentsOf, someHour } from '../archive/fixtures.ts';
import { plainLines } from './plain-lines.ts';

const partOf = (segments: readonly Segment[], first = 0, end = segments.length): ReelPart => ({
  hour: segments[0]?.hour ?? 0,
  reel: reelOf(segments),
  first,
  end,
});

test('the tables of a segment are those of the last break before it', () => {
  const { reel } = partOf(segmentsOf(someHour, [{ at: 0 }, { at: 2, flags: 3 }, { at: 4, flags: 1 }]));
  assert.deepEqual(
    [0, 1, 2].map((at) => tablesOwner(reel, at)),
    [0, 1, 1],
  );
});

test('the longest segment in whole seconds, at least one', () => {
  const segments = segmentsOf(someHour, [
    { at: 0, seconds: 0.2 },
    { at: 2, seconds: 4.5 },
    { at: 9, seconds: 9 },
  ]);
  assert.deepEqual([longestSeconds(partOf(segments, 0, 1)), longestSeconds(partOf(segments, 0, 2))], [1, 5]);
});

/** Pieces of some hours: what a reel may hold, well-behaved or not. */
const recorded = fc.array(
  fc.record({
    gapHours: fc.integer({ min: 1, max: 30_000 }),
    pieces: fc.array(
      fc.record({
        gapUs: fc.oneof(
          { weight: 4, arbitrary: fc.constant(0) },
          fc.integer({ min: -5000, max: 5000 }),
          fc.integer({ min: 0, max: 60e6 }),
        ),
        skipped: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(2 ** 40)),
        length: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        flags: fc.oneof(fc.constant(5), fc.integer({ min: 0, max: 63 })),
        duration: fc.oneof(fc.constant(360_000), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
        hasTables: fc.boolean(),
      }),
      { minLength: 1, maxLength: 25 },
    ),
  }),
  { minLength: 1, maxLength: 4 },
);

test('the lines of any segments are those that plain code makes of them', () => {
  fc.assert(
    fc.property(
      recorded,
      fc.integer({ min: -500_000, max: 500_000 }),
      fc.boolean(),
      fc.boolean(),
      (reels, fromHour, goesOn, startsPlaylist) => {
        const withoutTables = new Set<Segment>();
        let hour = fromHour;
        let startUs = fromHour * hourUs;
        const segments = reels.map(({ gapHours, pieces }) => {
          hour += gapHours;
          startUs = hour * hourUs;
          let offset = 0;
          return pieces.map(({ gapUs, skipped, length, flags, duration, hasTables }, sequence): Segment => {
            startUs += gapUs;
            offset += skipped;
            const segment = { hour, sequence, offset, length, flags, startUs, duration, crc32c: 0 };
            startUs += Math.round((duration * 100) / 9);
            offset += length;
            if (!hasTables) withoutTables.add(segment);
            return segment;
          });
        });
        const formerEndUs = goesOn ? fromHour * hourUs : undefined;
        const lines = new SegmentLines(formerEndUs);
        for (const [at, reel] of segments.entries())
          addPart(
            lines,
            partOf(reel),
            reel.filter((one) => withoutTables.has(one)).map(({ sequence }) => sequence),
            at === 0 && startsPlaylist,
          );
        const plain = plainLines(segments, withoutTables, formerEndUs, startsPlaylist);
        assert.equal(String(lines.take('head\n', 'tail\n')), `head\n${plain}tail\n`);
      },
    ),
    { numRuns: 300 },
  );
});

test('a reel written in parts has the lines of the whole', () => {
  const segments = segmentsOf(someHour, [
    { at: 0, flags: 1 },
    { at: 2, flags: 1 },
    { at: 9, flags: 3 },
    { at: 11, flags: 1 },
    { at: 13 },
  ]);
  const written = (parts: readonly ReelPart[], taken: (lines: SegmentLines) => string): string => {
    const lines = new SegmentLines();
    let text = '';
    for (const part of parts) {
      addPart(lines, part, []);
      text += taken(lines);
    }
    return text + lines.take('', '');
  };
  const whole = written([partOf(segments)], () => '');
  for (let cut = 1; cut < segments.length; cut += 1) {
    const parts = [partOf(segments, 0, cut), partOf(segments, cut)];
    assert.equal(
      written(parts, () => ''),
      whole,
    );
    assert.equal(
      written(parts, (lines) => String(lines.take('', ''))),
      whole,
      'taken piece by piece',
    );
  }
});

test('positions outside of the reel are refused', () => {
  const lines = new SegmentLines();
  const run = {
    records: Buffer.alloc(2 * 96),
    hourPath: '',
    first: 0,
    end: 2,
    tables: 0,
    withoutTables: [],
    startsPlaylist: false,
  };
  for (const wrong of [
    { end: 3 },
    { first: 2 },
    { first: -1 },
    { first: 0.5 },
    { tables: 2 },
    { tables: Number.NaN },
    { records: Buffer.alloc(191) },
  ])
    assert.throws(() => lines.add({ ...run, ...wrong }), TypeError, JSON.stringify(wrong));
  assert.throws(() => new SegmentLines(0.5), TypeError);
});

test('a live playlist is what hls-parser reads back', () => {
  const segments = segmentsOf(someHour, [
    { at: 0, flags: 7 },
    { at: 2 },
    { at: 4.8, seconds: 3.6 },
    { at: 8.4, flags: 3 },
  ]);
  const window = placeWindow([partOf(segments)], 3, { hour: someHour, sequence: 40, discontinuities: 5 });
  const playlist = (segmentMs: number, over: boolean) =>
    HLS.parse(String(livePlaylist(window, { segmentMs, over, withoutTables: [[]] }))) as HLS.types.MediaPlaylist;
  const parsed = playlist(2000, false);
  assert.equal(parsed.targetDuration, 4);
  assert.equal(parsed.mediaSequenceBase, 41);
  assert.equal(parsed.discontinuitySequenceBase, 6);
  assert.equal(parsed.endlist, false);
  assert.deepEqual(
    parsed.segments.map((segment) => [segment.uri, segment.discontinuity === true, segment.programDateTime?.getTime()]),
    [
      [`${hourPath(someHour)}/188-188.ts`, false, someHour * 3_600_000 + 2000],
      [`${hourPath(someHour)}/376-188.ts`, true, someHour * 3_600_000 + 4800],
      [`${hourPath(someHour)}/564-188.ts`, true, someHour * 3_600_000 + 8400],
    ],
  );
  const over = playlist(9000, true);
  assert.deepEqual([over.targetDuration, over.endlist], [9, true]);
});
