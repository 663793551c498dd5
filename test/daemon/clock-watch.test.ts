import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClockWatch } from '../../src/daemon/clock-watch.ts';

test('a clock that is set and a service that was stopped are told apart', (t) => {
  let wall = 1_000_000;
  let elapsed = 50;
  const told: [string, number, number][] = [];
  const watch = new ClockWatch({
    wall: () => wall,
    elapsed: () => elapsed,
    onJump: (from, to) => told.push(['jump', from, to]),
    onStopped: (from, to) => told.push(['stopped', from, to]),
  });
  watch.start();
  t.after(() => watch.close());
  const pass = (ms: number, set = 0): void => {
    wall += ms + set;
    elapsed += ms;
    assert.equal(watch.now(), wall);
  };
  pass(1000);
  pass(1000, 500);
  assert.equal(told.length, 0, 'a clock that is drawn nearer');
  pass(1000, 3_600_000);
  assert.deepEqual(told.splice(0), [['jump', 1_003_500, 4_603_500]]);
  pass(500, -3_600_000);
  assert.deepEqual(told.splice(0), [['jump', 4_604_000, 1_004_000]]);
  pass(60_000);
  assert.deepEqual(told.splice(0), [['stopped', 1_004_000, 1_064_000]]);
  pass(60_000, 10_000);
  assert.deepEqual(
    told.map(([what]) => what),
    ['stopped', 'jump'],
    'a machine that slept, and had its clock set after it',
  );
});
