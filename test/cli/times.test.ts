import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidArgumentError } from 'commander';
import { duration, formatDuration, formatInstant, instant } from '../../src/cli/times.ts';

test('lengths of time are read and written', () => {
  assert.equal(duration('90m'), 5400);
  assert.equal(duration('2w'), 14 * 86_400);
  for (const text of ['', '5', '5x', '-5d', '1.5d', 'd']) assert.throws(() => duration(text), InvalidArgumentError);
  for (const text of ['30d', '36h', '90m', '61s']) assert.equal(formatDuration(duration(text)), text);
});

test('a time names its zone, or counts seconds', () => {
  assert.equal(instant('2026-11-21T14:00:00Z'), Date.UTC(2026, 10, 21, 14) / 1000);
  assert.equal(instant('2026-11-21T14:00+01:00'), Date.UTC(2026, 10, 21, 13) / 1000);
  assert.equal(instant('1795269600.5'), 1795269600.5);
  for (const text of ['2026-11-21', '2026-11-21T14:00:00', '2026-13-01T00:00Z', 'now', ''])
    assert.throws(() => instant(text), InvalidArgumentError, text);
  assert.equal(instant(formatInstant(1795269600)), 1795269600);
});
