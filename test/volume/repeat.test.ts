import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { run } from '../../src/exec/run.ts';
import { repeat } from '../../src/volume/repeat.ts';

const hour = 3_600_000;

test('again and again, never twice at a time however long a run takes', async () => {
  const rounds = 5;
  const reached = Promise.withResolvers<void>();
  let runs = 0;
  let atWork = 0;
  let most = 0;
  const end = repeat(0, async () => {
    atWork += 1;
    most = Math.max(most, atWork);
    // Longer than the pause: a plain interval would begin the next runs meanwhile.
    for (let turns = 0; turns < 50; turns += 1) await turn();
    atWork -= 1;
    runs += 1;
    if (runs === rounds) reached.resolve();
  });
  await reached.promise;
  await end();
  assert.equal(most, 1);
});

test('the end waits for a run that has begun, and none begins after it', async () => {
  const begun = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const log: string[] = [];
  const end = repeat(0, async () => {
    log.push('begins');
    begun.resolve();
    await held.promise;
    log.push('is over');
  });
  await begun.promise;
  const ended = end().then(() => log.push('ended'));
  for (let turns = 0; turns < 50; turns += 1) await turn();
  assert.deepEqual(log, ['begins'], 'the end did not wait');
  held.resolve();
  await ended;
  for (let turns = 0; turns < 50; turns += 1) await turn();
  assert.deepEqual(log, ['begins', 'is over', 'ended']);
});

test('the end does not wait for a pause, may be asked for twice, and the first run comes after a pause', async () => {
  let runs = 0;
  const end = repeat(hour, async () => {
    runs += 1;
  });
  await Promise.all([end(), end()]);
  assert.equal(runs, 0);
});

test('a process that has nothing else to do ends', async () => {
  const module = path.resolve(import.meta.dirname, '../../src/volume/repeat.ts');
  const script = `import { repeat } from ${JSON.stringify(module)}; repeat(${hour}, async () => {});`;
  // Fails with `command-timeout` where the pause keeps it alive.
  await run(process.execPath, ['--input-type=module', '--eval', script], { timeoutMs: 60_000 });
});
