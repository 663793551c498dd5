/** A block plane that answers, but for one request: nobody else is kept by it, and an undo and a slam get rid of it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../src/exec/run.ts';
import { nothingLeft } from '../helper/harness.ts';
import { kinds } from './control.ts';
import { Ground } from './ground.ts';
import { allCases, rehearse, tryCase } from './matrix.ts';
import { operationsOn } from './operations.ts';

const anyRead = { number: 1, kinds: kinds.reads, program: 'luksblock', call: 'pread', path: '' } as const;

test('a request that a block plane never answers keeps no volume from a slam', async (t) => {
  const ground = await Ground.make('userspace', 60_000);
  t.after(() => ground.destroy());
  await ground.create('v', { open: true });
  const { device } = (await ground.call({ verb: 'inspect', name: 'v', descriptor: false })).result;
  await ground.create('w');
  ground.control.inject({ ...anyRead, step: 'start' }, 'stuck');
  // the last one to close a device waits there for what was asked of it
  await run('umount', [path.join(ground.place.mounts, 'v')], { timeoutMs: 60_000 });
  const args = [`if=${device}`, 'of=/dev/null', 'bs=4096', 'skip=2000', 'count=1', 'status=none'];
  const reader = spawn('dd', args, { stdio: 'ignore' });
  const ended = once(reader, 'exit');
  while (ground.control.hits === 0) {
    assert.equal(reader.exitCode, null, 'it read what was in memory');
    await sleep(10);
  }
  ground.control.off();
  // it goes on waiting, and whoever opens the device waits behind it
  reader.kill('SIGKILL');
  await ground.open('w');
  await ground.lock('w');
  const report = (await ground.call({ verb: 'slam', name: 'v', deadlineMs: 500 })).result;
  assert.equal(report.state, 'locked');
  assert.ok(
    report.acts.some(({ act }) => act === 'abort'),
    JSON.stringify(report.acts),
  );
  await ended;
  assert.deepEqual(await ground.place.leftovers(), nothingLeft);
  await ground.open('v');
  await ground.lock('v');
});

test('an open whose block plane stops answering leaves nothing', async (t) => {
  const ground = await Ground.make('userspace');
  t.after(() => ground.destroy());
  const opening = (await operationsOn(ground)).find(({ name }) => name === 'open read-only');
  assert.ok(opening !== undefined);
  const cases = allCases(ground, await rehearse(ground, opening)).filter(
    ({ fault, call }) => fault === 'stuck' && call.step === 'attached',
  );
  assert.ok(cases.length > 1);
  for (const each of cases) assert.deepEqual((await tryCase(ground, opening, each))?.wrong, [], each.call.step);
});
