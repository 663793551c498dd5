/** The arithmetic of the benches. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alternate, median, percentile, ratio } from './bench-figures.ts';
import { quantile, samplesOf, sumOf } from './ingest-lag.ts';
import { mostThatHold } from './ingest-search.ts';

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

const page = (counts: readonly number[], bytes: number) =>
  samplesOf(`# HELP reelvault_lag_seconds x
${['0.5', '1', '2', '+Inf'].map((bound, at) => `reelvault_lag_seconds_bucket{le="${bound}"} ${counts[at]}`).join('\n')}
reelvault_durable_bytes_total{stream="a"} ${bytes}
reelvault_durable_bytes_total{stream="b"} 5
`);

test('a quantile is that of what came between two scrapes', () => {
  const before = page([100, 100, 100, 100], 10);
  const after = page([100, 198, 199, 200], 30);
  assert.equal(quantile(before, after, 'lag_seconds', 0.98), 1);
  assert.equal(quantile(before, after, 'lag_seconds', 0.99), 2);
  assert.equal(quantile(before, after, 'lag_seconds', 1), Number.POSITIVE_INFINITY);
  assert.ok(Number.isNaN(quantile(after, after, 'lag_seconds', 0.5)));
  assert.equal(sumOf(after, 'durable_bytes_total') - sumOf(before, 'durable_bytes_total'), 20);
});

test('the search finds the largest number that holds, and asks again before it says so', async () => {
  const search = async (first: number, limit: number, refuse: readonly number[] = []) => {
    const asked: number[] = [];
    const found = await mostThatHold({ first, step: 100, most: 900 }, async (count) => {
      asked.push(count);
      return count <= limit && !refuse.includes(asked.length);
    });
    return { found, asked };
  };
  assert.deepEqual(await search(500, 650), { found: 600, asked: [500, 600, 700, 600] });
  assert.deepEqual(await search(500, 350), { found: 300, asked: [500, 400, 300, 300] });
  assert.equal((await search(500, 5000)).found, 900);
  assert.equal((await search(500, 50)).found, 0);
  // Holds once and not again: one less, if that holds twice.
  assert.deepEqual(await search(500, 650, [4]), { found: 500, asked: [500, 600, 700, 600, 500, 500] });
});
