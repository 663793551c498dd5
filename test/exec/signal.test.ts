import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { signalIfThere } from '../../src/exec/signal.ts';

test('a signal to a process that has ended is no error; one that is refused is', async () => {
  const child = spawn('sleep', ['60']);
  const ended = once(child, 'exit');
  assert.ok(child.pid !== undefined);
  signalIfThere(child.pid, 'SIGKILL');
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  signalIfThere(child.pid, 'SIGKILL');
  assert.throws(() => signalIfThere(process.pid, 'SIGNONE' as NodeJS.Signals), { code: 'ERR_UNKNOWN_SIGNAL' });
});
