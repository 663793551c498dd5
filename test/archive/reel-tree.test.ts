import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hourBehind } from '../../src/archive/reel-tree.ts';

test('the hour behind a directory of a stream', () => {
  const at = (...parts: [number, number, number?]): number => Date.UTC(...parts) / 3_600_000;
  assert.equal(hourBehind('dvr/cam/2026/11/21'), at(2026, 10, 22));
  assert.equal(hourBehind('dvr/cam/2026/12/31'), at(2027, 0));
  assert.equal(hourBehind('dvr/cam/2026/02'), at(2026, 2));
  assert.equal(hourBehind('dvr/cam/2026/12'), at(2027, 0));
  assert.equal(hourBehind('dvr/cam/2026'), at(2027, 0));
  assert.equal(hourBehind('dvr/cam'), Number.POSITIVE_INFINITY);
});
