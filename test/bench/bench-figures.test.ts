/** The arithmetic of the benches. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alternate, median, percentile, ratio } from './bench-figures.ts';

test('medians, percentiles and ratios', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 2, 9]), 3);
  const hundred = Array.from({ length: 100 }, (_, at) => 100 - at);
  assert.equal(percentile(hundred, 0.99), 99);
  assert.equal(percentile(hundred, 1), 100);
  assert.equal(percentile([7], 0.5), 7);
  assert.equal(ratio([1, 2, 3], [8, 6, 4]), 0.33);
});

test('each contender is measured once a round, and each begins one', async () => {
  const order: string[] = [];
  const all = await alternate(3, ['a', 'b', 'c'], async (name, round) => {
    order.push(`${name}${round}`);
    return round;
  });
  assert.deepEqual(order, ['a0', 'b0', 'c0', 'b1', 'c1', 'a1', 'c2', 'a2', 'b2']);
  assert.deepEqual(all, { a: [0, 1, 2], b: [0, 1, 2], c: [0, 1, 2] });
});
