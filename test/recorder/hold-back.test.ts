import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldBack } from '../../src/recorder/hold-back.ts';

test('too long is what was seen for the limit without a break, and not what nobody looked at', () => {
  let now = 0;
  const holdBack = new HoldBack({ elapsed: () => now, mostMs: 3000 });
  const look = (after: number, since: number | undefined): boolean => {
    now += after;
    return holdBack.isTooLong('cam', since);
  };
  assert.deepEqual([look(0, 1), look(1000, 1), look(1000, undefined), look(1000, 5)], Array(4).fill(false));
  assert.deepEqual([look(1000, 5), look(1000, 5), look(1000, 5)], [false, false, true]);
  assert.equal(look(1000, 9), false, 'told once');
  assert.equal(look(60_000, 9), false, 'a process that was stopped has not seen a minute of it');
  assert.equal(look(1000, 9), true);
  for (let turn = 0; turn < 50; turn += 1) assert.equal(look(1000, 100 + turn), false, 'held back again and again');
});
