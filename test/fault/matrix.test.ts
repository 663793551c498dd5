/** The short form of `npm run faults`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runFaults, summary } from './run.ts';
import { short, shortOperations } from './short.ts';

test('whatever fails in the middle of an operation: the error says it, nothing is left, and the same call again succeeds', async (t) => {
  const figures = await runFaults({ engine: 'userspace', only: shortOperations, choose: short() });
  t.diagnostic(summary(figures));
  assert.deepEqual(figures.wrong, []);
  assert.equal(figures.asDocumented, figures.injected);
  assert.ok(figures.injected >= 10, summary(figures));
  assert.ok(figures.interrupted > 100, summary(figures));
});
