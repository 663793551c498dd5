/** The writer bench, short: every contender writes what it was given, and the figures are there. What they say is for a quiet machine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writerBench } from './writer.ts';

const mib = 2 ** 20;

test('each contender runs, and all ratios come out', { timeout: 300_000 }, async () => {
  const figures = await writerBench(
    {
      rounds: 1,
      clipSeconds: 2,
      speed: { streams: 2, bytes: 64 * mib },
      cpu: { streams: 20, bytes64k: 32 * mib, bytes1316: 8 * mib },
    },
    () => {},
  );
  for (const name of ['ratio_fio', 'ratio_node_cpu_64k', 'ratio_node_cpu_1316'])
    assert.ok(Number(figures[name]) > 0, `${name}: ${figures[name]}`);
});
