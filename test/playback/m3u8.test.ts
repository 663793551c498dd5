import assert from 'node:assert/strict';
import { test } from 'node:test';
import HLS from 'hls-parser';
import { hourPath } from '../../src/archive/reel.ts';
import { livePlaylist } from '../../src/playback/live-playlist.ts';
import { placeWindow } from '../../src/playback/live-window.ts';
import { SegmentLines, tablesOwner } from '../../src/playback/m3u8.ts';
import { segmentsOf, someHour, type Wanted } from '../archive/fixtures.ts';

const linesOf = (wanted: Wanted[], firstReset = true): string[] => {
  const reel = segmentsOf(someHour, wanted);
  const lines = new SegmentLines();
  return reel
    .map((_, at) => lines.add(reel, at, new Set(), at > 0 || firstReset))
    .join('')
    .split('\n');
};

test('a segment with its time, its length and its bytes', () => {
  assert.deepEqual(linesOf([{ at: 1.5, seconds: 1.92, length: 1880 }]), [
    '#EXT-X-PROGRAM-DATE-TIME:2026-11-21T10:00:01.500Z',
    '#EXTINF:1.920000,',
    '2026/11/21/10/0-1880.ts',
    '',
  ]);
});

test('a hole or a flag breaks off; the first of a VOD playlist never does', () => {
  const breaks = (lines: string[]): number => lines.filter((line) => line === '#EXT-X-DISCONTINUITY').length;
  assert.equal(breaks(linesOf([{ at: 0 }, { at: 2 }, { at: 4.01 }, { at: 6.01, flags: 7 }])), 2);
  assert.equal(breaks(linesOf([{ at: 0, flags: 7 }])), 1);
  assert.equal(breaks(linesOf([{ at: 0, flags: 7 }], false)), 0);
});

test('segments without PAT and PMT get them from the last break, named once', () => {
  const maps = linesOf([
    { at: 0, flags: 5 },
    { at: 2, flags: 1 },
    { at: 4, flags: 1 },
    { at: 6, flags: 7 },
    { at: 8, flags: 1 },
    { at: 10 },
  ]).filter((line) => line.startsWith('#EXT-X-MAP'));
  assert.deepEqual(maps, [
    '#EXT-X-MAP:URI="2026/11/21/10/0-188.tables.ts"',
    '#EXT-X-MAP:URI="2026/11/21/10/564-188.tables.ts"',
  ]);
  const reel = segmentsOf(someHour, [{ at: 0 }, { at: 2, flags: 3 }, { at: 4, flags: 1 }]);
  assert.deepEqual(
    [0, 1, 2].map((at) => tablesOwner(reel, at).sequence),
    [0, 1, 1],
  );
});

test('a live playlist is what hls-parser reads back', () => {
  const reel = segmentsOf(someHour, [{ at: 0, flags: 7 }, { at: 2 }, { at: 4.8, seconds: 3.6 }, { at: 8.4, flags: 3 }]);
  const window = placeWindow([reel], 3, { hour: someHour, sequence: 40, discontinuities: 5 });
  const parsed = HLS.parse(
    livePlaylist(window, { segmentMs: 2000, over: false, without: new Set() }),
  ) as HLS.types.MediaPlaylist;
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
  const over = HLS.parse(
    livePlaylist(window, { segmentMs: 9000, over: true, without: new Set() }),
  ) as HLS.types.MediaPlaylist;
  assert.deepEqual([over.targetDuration, over.endlist], [9, true]);
});
