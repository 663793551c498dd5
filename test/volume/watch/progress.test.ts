import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProgressClock } from '../../../src/volume/watch/progress.ts';

test('stuck is what has work and does none of it; anything done, or nothing to do, begins anew', () => {
  const clock = new ProgressClock();
  const looks: [boolean, string, number, number][] = [
    [true, 'a', 0, 0],
    [true, 'a', 10, 10],
    [true, 'a', 25, 25],
    [true, 'b', 30, 0],
    [true, 'b', 41, 11],
    [false, 'b', 50, 0],
    [true, 'b', 60, 0],
    [true, 'b', 65, 5],
  ];
  for (const [pending, done, now, stuck] of looks) {
    assert.equal(clock.look('one', { pending, done }, now), stuck, `at ${now}`);
  }
  assert.equal(clock.look('another', { pending: true, done: 'b' }, 70), 0);
  clock.forget('one');
  assert.equal(clock.look('one', { pending: true, done: 'b' }, 80), 0);
});

test('a watch that was stopped for a minute has not seen a minute of standstill', () => {
  const clock = new ProgressClock();
  const work = { pending: true, done: 'a' };
  clock.look('one', work, 0);
  clock.look('one', work, 1000);
  const stuck = clock.look('one', work, 61_000);
  assert.ok(stuck < 5000, `${stuck} ms`);
  assert.equal(clock.look('one', work, 62_000), stuck + 1000);
});
