/** The short form of `npm run crash-matrix`: of each operation the first and the last cell, and each tenth between them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeEngines, shorter } from '../../helper/harness.ts';
import { type Cell, runMatrix, tableOf } from './matrix.ts';

const firstLastAndEachTenth = (cells: readonly Cell[]): readonly Cell[] =>
  shorter(
    cells.filter((_, index) => index % 10 === 0 || index === cells.length - 1),
    10,
  );

await describeEngines('kill -9 after each step of each operation', (engine) => {
  test('the state is right, the same call again succeeds, what was written is there, and nothing is left', async (t) => {
    const report = await runMatrix({ engine, choose: firstLastAndEachTenth, say: () => {} });
    t.diagnostic(`\n${tableOf(report)}`);
    assert.deepEqual(report.failures, []);
    for (const victim of engine === 'userspace' ? ['daemon', 'helper', 'luksblock'] : ['daemon', 'helper'])
      assert.ok(
        Object.values(report.by).some((row) => (row[victim]?.kills ?? 0) > 0),
        `no ${victim} was killed`,
      );
  });
});
