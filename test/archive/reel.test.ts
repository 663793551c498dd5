import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hourOf, hourPath, parseHour, parseReelPath, reelPath } from '../../src/archive/reel.ts';

const lastHour = Date.UTC(9999, 11, 31, 23) / 3_600_000;

test('an hour and its path are one and the same', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: lastHour }), (hour) => {
      const [year = '', month = '', day = '', name = ''] = hourPath(hour).split('/');
      assert.equal(parseHour(year, month, day, name), hour);
      assert.deepEqual(parseReelPath(reelPath('cam', hour)), { stream: 'cam', hour });
    }),
  );
  assert.equal(reelPath('cam', hourOf(Date.UTC(2026, 10, 21, 14, 59) * 1000)), 'dvr/cam/2026/11/21/14.ts');
});

test('what is no hour has no meaning', () => {
  for (const parts of [
    '2026/13/01/00',
    '2026/02/30/00',
    '2026/11/21/24',
    '2026/1/21/00',
    '1969/12/31/23',
    '0099/01/01/00',
    '20x6/01/01/00',
  ]) {
    const [year = '', month = '', day = '', hour = ''] = parts.split('/');
    assert.equal(parseHour(year, month, day, hour), undefined, parts);
  }
  for (const path of [
    '',
    'dvr/cam/2026/11/21/14.idx',
    'vod/cam/2026/11/21/14.ts',
    'dvr/cam/2026/11/21/14.ts/x',
    'dvr//2026/11/21/14.ts',
    '../dvr/cam',
  ])
    assert.equal(parseReelPath(path), undefined, path);
});

test('no text makes the parsers throw', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const parsed = parseReelPath(text);
      assert.ok(parsed === undefined || reelPath(parsed.stream, parsed.hour) === text);
    }),
  );
});
