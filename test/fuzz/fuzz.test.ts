/** The kept inputs of each fuzz target, and some thousands that are made of them, always the same ones. The long runs are `npm run fuzz`. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { buildTargets, fuzz, keptInputs } from './fuzz.ts';

const dir = await mkdtemp(path.join(os.tmpdir(), 'rv-fuzz-'));
after(() => rm(dir, { recursive: true, force: true }));
before(() => buildTargets());

for (const [target, executions] of [
  ['segmenter', 4000],
  ['index', 20_000],
  ['recovery', 1000],
  ['chunked', 20_000],
] as const) {
  test(`${target}: the kept inputs break nothing, nor does what is made of them`, async () => {
    const kept = (await readdir(keptInputs(target))).length;
    assert.ok(kept > 10);
    const run = await fuzz({
      target,
      directories: [path.join(dir, target), keptInputs(target)],
      findings: path.join(dir, 'findings'),
      limit: { executions: kept + executions, seed: 1 },
    });
    assert.equal(run.finding, null, run.finding?.report);
    assert.ok(run.executions >= kept + executions);
  });
}
