/** The short form of `npm run cycles`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leftBehind, runCycles, tableOf } from './cycles.ts';

test('volumes made, opened, recorded into, locked and destroyed again and again leave nothing behind', async (t) => {
  const report = await runCycles({ count: 5, warmAt: 3, say: () => {} });
  t.diagnostic(`\n${tableOf(report)}`);
  assert.deepEqual(leftBehind(report), []);
});
