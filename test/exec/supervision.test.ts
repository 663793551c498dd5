import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { test } from 'node:test';

const file = path.resolve(import.meta.dirname, '../../src/exec/supervision.ts');
const program = `import { onSupervisorGone } from ${JSON.stringify(file)};
  onSupervisorGone(() => process.exit(3));
  process.on('SIGTERM', () => process.exit(4));
  setInterval(() => {}, 1000);
  console.log('up');`;

const start = async (stdin: 'pipe' | 'ignore') => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: [stdin, 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return { child, code: async (): Promise<unknown> => (await ended)[0] };
};

test('the end of a supervisor is told by its end of the pipe', async () => {
  const { child, code } = await start('pipe');
  child.stdin?.destroy();
  assert.equal(await code(), 3);
});

test('with /dev/null as standard input nobody is gone', async () => {
  const { child, code } = await start('ignore');
  // Long enough for the end of a file to be told, were it listened to.
  await new Promise((resolve) => setTimeout(resolve, 300));
  child.kill('SIGTERM');
  assert.equal(await code(), 4);
});
