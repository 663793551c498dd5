import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DurableLag } from '../../src/recorder/durable-lag.ts';

test('the lag is the age of the oldest byte that is not durable', () => {
  let now = 0;
  const lag = new DurableLag(() => now);
  assert.equal(lag.ms, 0);
  for (now = 0; now < 4000; now += 100) lag.received(10);
  assert.equal(lag.ms, 4000);
  lag.durable(200);
  assert.ok(lag.ms >= 2000 && lag.ms <= 2300, `${lag.ms}`);
  lag.durable(200);
  assert.equal(lag.ms, 0);
  now = 10_000;
  assert.equal(lag.ms, 0, 'nothing comes, nothing waits');
  lag.received(1);
  now = 13_000;
  assert.equal(lag.ms, 3000);
});
