import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { ReelError } from '../../src/errors.ts';
import { run } from '../../src/exec/run.ts';
import { spawnDetached } from '../../src/exec/spawn-detached.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'detached-'));
after(() => rmSync(directory, { recursive: true }));
const timeoutMs = 20_000;
const spawnModule = path.resolve(import.meta.dirname, '../../src/exec/spawn-detached.ts');

test('key bytes arrive on descriptor 3 up to their end, a handed-on descriptor on 4', async () => {
  const file = path.join(directory, 'out');
  const fd = openSync(file, 'w');
  const script = 'echo written >&4; cat <&3 | sha256sum';
  const key = Buffer.alloc(300_000, 'k\n');
  const { line } = await spawnDetached('sh', ['-c', script], { timeoutMs, extra: [key, fd] });
  closeSync(fd);
  const { stdout } = await run('sha256sum', [], { input: key, timeoutMs });
  assert.equal(line, stdout.toString().trim());
  assert.equal(readFileSync(file, 'utf8'), 'written\n');
});

test('a refusal is a failure with exit code and the line of stderr', async () => {
  const script = 'echo \'{"error":"wrong-key"}\' >&2; exit 11';
  await assert.rejects(
    spawnDetached('sh', ['-c', script], { timeoutMs, extra: [Buffer.from('key')] }),
    (error: ReelError) => {
      assert.equal(error.code, 'command-failed');
      assert.equal(error.details.exitCode, 11);
      assert.equal(error.details.stderr, '{"error":"wrong-key"}');
      return true;
    },
  );
});

test('no line in time: the child is killed', async () => {
  const script = `echo $$ > ${directory}/pid; exec sleep 600`;
  await assert.rejects(spawnDetached('sh', ['-c', script], { timeoutMs: 500 }), { code: 'command-timeout' });
  const pid = Number(readFileSync(path.join(directory, 'pid'), 'utf8'));
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});

test('a missing program', async () => {
  await assert.rejects(spawnDetached('no-such-program', [], { timeoutMs }), { code: 'command-missing' });
});

test('the child outlives its parent, which is not kept by it, and is in a session of its own', async () => {
  const program = `
    const { spawnDetached } = await import(${JSON.stringify(spawnModule)});
    const { pid } = await spawnDetached('sh', ['-c', 'echo ready; exec sleep 600'], { timeoutMs: 20000 });
    console.log(pid);`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { timeoutMs });
  const pid = Number(stdout.toString());
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  process.kill(pid, 'SIGKILL');
  assert.equal(Number(stat[3]), pid);
});
