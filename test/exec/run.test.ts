import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { ReelError } from '../../src/errors.ts';
import { systemPath } from '../../src/exec/environment.ts';
import { run } from '../../src/exec/run.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'exec-'));
after(() => rmSync(directory, { recursive: true }));
const fixtures = path.resolve(import.meta.dirname, '../../fixtures/bin');
const timeoutMs = 20_000;

const failureOf = async (promise: Promise<unknown>): Promise<ReelError> => {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof ReelError, inspect(error));
    return error;
  }
  return assert.fail('Expected a failure');
};

test('input and output are bytes, not text', async () => {
  const bytes = Buffer.from([0, 255, 10, 13, 10]);
  const { stdout, exitCode } = await run('cat', [], { input: bytes, timeoutMs });
  assert.deepEqual([stdout, exitCode], [bytes, 0]);
});

test('the environment is clean, English and has the system path', async () => {
  process.env.RUN_TEST_LEAK = 'leak';
  const { stdout } = await run('env', [], { timeoutMs, env: { ADDED: 'yes' } });
  const lines = stdout.toString().trim().split('\n').sort();
  assert.deepEqual(lines, ['ADDED=yes', 'HOME=/', 'LC_ALL=C', `PATH=${systemPath}`]);
});

test('a child that does not read its input is no failure', async () => {
  const { exitCode } = await run('true', [], { input: Buffer.alloc(4 << 20), timeoutMs });
  assert.equal(exitCode, 0);
});

test('a failure tells exit code and stderr', async () => {
  const error = await failureOf(run('sh', ['-c', 'echo first >&2; echo reason >&2; exit 7'], { timeoutMs }));
  assert.equal(error.code, 'command-failed');
  assert.match(error.message, /exit code 7: reason/);
  assert.equal(error.details.exitCode, 7);
  assert.equal(error.details.stderr, 'first\nreason');
  const { exitCode } = await run('sh', ['-c', 'exit 7'], { timeoutMs, okCodes: [0, 7] });
  assert.equal(exitCode, 7);
});

for (const [fixture, code] of [
  ['program-io-error', 'io-error'],
  ['program-no-space', 'no-space'],
] as const) {
  test(`a program that says what its storage did is ${code}, also where its exit code is an answer`, async () => {
    const program = path.join(fixtures, fixture, 'program');
    for (const okCodes of [[0], [0, 1]]) {
      const error = await failureOf(run(program, [], { timeoutMs, okCodes }));
      assert.equal(error.code, code);
      assert.match(error.message, /exit code 1: program: .*; (look at the storage|make space)/);
      assert.equal(error.details.exitCode, 1);
    }
  });
}

test('a mount that finds no readable superblock is io-error, and its reason is told and not where else to look', async () => {
  const said =
    'echo "mount: /x: can\'t read superblock on /dev/loop1." >&2; echo "  dmesg(1) may have more information" >&2; exit 32';
  const error = await failureOf(run('sh', ['-c', said], { timeoutMs }));
  assert.equal(error.code, 'io-error');
  assert.match(error.message, /can't read superblock on \/dev\/loop1/);
  assert.doesNotMatch(error.message, /dmesg\(1\)/);
});

test('an umount that could not write the superblock is io-error', async () => {
  const said = 'echo "umount: /x: can\'t write superblock." >&2; exit 32';
  assert.equal((await failureOf(run('sh', ['-c', said], { timeoutMs }))).code, 'io-error');
});

test('a number in the place of words is understood too', async () => {
  for (const [number, code] of [
    [5, 'io-error'],
    [28, 'no-space'],
    [22, 'command-failed'],
  ] as const) {
    const said = `echo 'mkfs.xfs: Flushing the data device failed, err=${number}!' >&2; exit 1`;
    assert.equal((await failureOf(run('sh', ['-c', said], { timeoutMs }))).code, code);
  }
});

test('a signal is a failure that names it', async () => {
  const error = await failureOf(run('sh', ['-c', 'kill -SEGV $$'], { timeoutMs }));
  assert.equal(error.details.signal, 'SIGSEGV');
});

test('neither input nor stdout gets into an error', async () => {
  const secret = 'hush-hush-4711';
  for (const script of ['cat; exit 1', 'cat; sleep 600', 'cat /dev/stdin /dev/zero']) {
    const options = { input: Buffer.from(secret), timeoutMs: 1_000, maxBuffer: 100_000 };
    const error = await failureOf(run('sh', ['-c', script], options));
    assert.doesNotMatch(inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error), /hush|68 75 73 68/);
  }
});

test('a missing command and a missing directory are told apart', async () => {
  assert.equal((await failureOf(run('no-such-command', [], { timeoutMs }))).code, 'command-missing');
  const error = await failureOf(run('true', [], { timeoutMs, cwd: '/no/such/directory' }));
  assert.equal(error.code, 'command-failed');
  assert.match(error.message, /no\/such\/directory/);
});

test('too much output ends the child', async () => {
  const error = await failureOf(run('cat', ['/dev/zero'], { timeoutMs, maxBuffer: 1_000_000 }));
  assert.match(error.message, /more than 1000000 bytes/);
});

const alive = (pid: number): boolean =>
  existsSync(`/proc/${pid}/exe`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

test('after the time limit the whole tree is gone, deaf ones too', async () => {
  const pidFile = path.join(directory, 'pid');
  const env = { PATH: `${fixtures}/cryptsetup-hangs:${systemPath}`, FAKE_PID_FILE: pidFile };
  const error = await failureOf(run('cryptsetup', ['open'], { timeoutMs: 500, env }));
  const left = readFileSync(pidFile, 'utf8').trim().split(' ').map(Number).filter(alive);
  for (const pid of left) process.kill(pid, 'SIGKILL');
  assert.deepEqual(left, []);
  assert.equal(error.code, 'command-timeout');
  assert.equal(error.details.stuck, false);
});

test('a grandchild that keeps the output open does not keep the caller', async () => {
  const script = `setsid sh -c 'echo $$ > ${directory}/held; exec sleep 600' & echo said >&2`;
  const error = await failureOf(run('sh', ['-c', script], { timeoutMs: 1_000 }));
  assert.equal(error.code, 'command-timeout');
  const holder = Number(readFileSync(path.join(directory, 'held'), 'utf8'));
  assert.ok(alive(holder), 'a session of its own is not touched');
  process.kill(holder, 'SIGKILL');
});
