/** A block plane that answers, but for one request: a slam gets rid of it all the same. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { nothingLeft } from '../helper/harness.ts';
import { kinds } from './control.ts';
import { Ground } from './ground.ts';

test('a request that a block plane never answers keeps no volume from a slam', async (t) => {
  const ground = await Ground.make('userspace');
  t.after(() => ground.destroy());
  await ground.create('v', { open: true });
  const { device } = (await ground.call({ verb: 'inspect', name: 'v', descriptor: false })).result;
  ground.control.inject(
    { number: 1, step: 'start', kinds: kinds.reads, program: 'luksblock', call: 'pread', path: '' },
    'stuck',
  );
  const args = [`if=${device}`, 'of=/dev/null', 'bs=4096', 'count=1', 'iflag=direct', 'status=none'];
  const reader = spawn('dd', args, { stdio: 'ignore' });
  const ended = once(reader, 'exit');
  while (ground.control.hits === 0) await sleep(10);
  ground.control.off();
  reader.kill('SIGKILL');
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
