import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { matchesEtag, parseRange, rangeAllowed } from '../../src/playback/byte-range.ts';

test('the table of RFC 9110 section 14', () => {
  const whole = undefined;
  const cases: [string | undefined, ReturnType<typeof parseRange>][] = [
    [undefined, whole],
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=0-99', { start: 0, end: 99 }],
    ['bytes=0-100', { start: 0, end: 99 }],
    ['bytes=50-', { start: 50, end: 99 }],
    ['bytes=-1', { start: 99, end: 99 }],
    ['bytes=-1000', { start: 0, end: 99 }],
    ['BYTES=1-2', { start: 1, end: 2 }],
    ['bytes= 1-2 ', { start: 1, end: 2 }],
    ['bytes=100-', 'unsatisfiable'],
    ['bytes=100-200', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    [`bytes=${'9'.repeat(400)}-`, 'unsatisfiable'],
    [`bytes=0-${'9'.repeat(400)}`, { start: 0, end: 99 }],
    ['bytes=2-1', whole],
    ['bytes=-', whole],
    ['bytes=', whole],
    ['bytes=a-b', whole],
    ['bytes=0-1,5-6', whole],
    ['items=0-1', whole],
    ['', whole],
  ];
  for (const [value, expected] of cases) assert.deepEqual(parseRange(value, 100), expected, value);
  assert.equal(parseRange('bytes=0-', 0), 'unsatisfiable');
  assert.equal(parseRange('bytes=-5', 0), 'unsatisfiable');
});

test('a range lies inside and is not empty, whatever is asked', () => {
  const header = fc.oneof(
    fc.string(),
    fc.tuple(fc.bigInt(), fc.bigInt()).map(([a, b]) => `bytes=${a}-${b}`),
  );
  fc.assert(
    fc.property(header, fc.nat(), (value, length) => {
      const range = parseRange(value, length);
      if (typeof range === 'object') assert.ok(range.start >= 0 && range.start <= range.end && range.end < length);
    }),
  );
});

test('entity tags', () => {
  const etag = '"0badcafe-0-188"';
  for (const value of [etag, `W/${etag}`, `"x", ${etag}`, `"x",W/${etag} `, '*', ' * '])
    assert.ok(matchesEtag(value, etag), value);
  for (const value of [undefined, '', '"x"', etag.slice(1), `${etag}x`]) assert.ok(!matchesEtag(value, etag), value);
  assert.ok(rangeAllowed(undefined, etag) && rangeAllowed(etag, etag));
  assert.ok(!rangeAllowed(`W/${etag}`, etag) && !rangeAllowed('Sat, 21 Nov 2026 10:00:00 GMT', etag));
});
