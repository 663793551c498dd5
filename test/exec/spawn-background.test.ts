/** A child that nobody waits for: what it says is in its file, however early it ends. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnBackground } from '../../src/exec/spawn-background.ts';

const directory = await mkdtemp(path.join(tmpdir(), 'reelvault-background-'));
const output = path.join(directory, 'output');
after(() => rm(directory, { recursive: true, force: true }));

const said = async (words: RegExp): Promise<string> => {
  const deadline = Date.now() + 30_000;
  let text = await readFile(output, 'utf8');
  for (; !words.test(text) && Date.now() < deadline; text = await readFile(output, 'utf8')) await sleep(10);
  return text;
};

test('it has its input to the last byte, and its output is for its owner only', async () => {
  const { pid } = await spawnBackground('sh', ['-c', 'wc -c; echo over >&2'], { input: Buffer.alloc(1 << 20), output });
  assert.ok(pid > 0);
  assert.match(await said(/over/), /^1048576\nover\n$/);
  assert.equal((await stat(output)).mode & 0o777, 0o600);
});

test('one that ends before it has read its input is started all the same, and says why in its output', async () => {
  // More than a pipe holds: the write breaks off in the middle.
  await spawnBackground('sh', ['-c', 'exec 0<&-; echo "no disk" >&2; exit 1'], {
    input: Buffer.alloc(1 << 20),
    output,
  });
  assert.equal(await said(/disk/), 'no disk\n');
});

test('a program that is not there is refused', async () => {
  const input = Buffer.alloc(0);
  await assert.rejects(spawnBackground('reelvault-no-such-program', [], { input, output }), {
    code: 'command-missing',
  });
});
