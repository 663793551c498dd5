import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { readAhead } from '../../src/archive/read-ahead.ts';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

test('results come in order, and only a few are under way', async () => {
  let underWay = 0;
  let most = 0;
  const work = async (item: number): Promise<number> => {
    underWay += 1;
    most = Math.max(most, underWay);
    for (let turns = item % 3; turns >= 0; turns -= 1) await setImmediate();
    underWay -= 1;
    return item * 2;
  };
  assert.deepEqual(
    await Array.fromAsync(readAhead(numbers(30), work)),
    numbers(30).map((item) => item * 2),
  );
  assert.ok(most > 1 && most <= 8, `${most}`);
  assert.deepEqual(await Array.fromAsync(readAhead([], work)), []);
});

test('a failure comes in its place, and those behind it disturb nobody', async () => {
  const taken: number[] = [];
  const work = async (item: number): Promise<number> => {
    if (item >= 2) throw new Error(`item ${item}`);
    return item;
  };
  await assert.rejects(
    async () => {
      for await (const result of readAhead(numbers(5), work)) taken.push(result);
    },
    { message: 'item 2' },
  );
  assert.deepEqual(taken, [0, 1]);
  await setImmediate(); // an unhandled rejection would fail the test
});

test('work that waits for nothing lets the event loop turn', async () => {
  let turns = 0;
  const turn = async (): Promise<void> => {
    for (; turns < 100; turns += 1) await setImmediate();
  };
  const turning = turn();
  for await (const _item of readAhead(numbers(80), async (item) => item));
  assert.ok(turns >= 9, `${turns}`);
  turns = 100;
  await turning;
});
