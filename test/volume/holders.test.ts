import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { run } from '../../src/exec/run.ts';
import { findHolders, findNamespaces, findOpeners } from '../../src/volume/holders.ts';
import { mountAt, readMounts } from '../../src/volume/mountinfo.ts';

const project = path.resolve(import.meta.dirname, '../..');
const ownNamespace = path.join(project, 'fixtures/launcher/own-namespace.sh');

let point: string;
let device: string;
const children: ChildProcess[] = [];
before(async () => {
  point = await mkdtemp(path.join(tmpdir(), 'reelvault-holders-'));
  await run('mount', ['-t', 'tmpfs', 'tmpfs', point], { timeoutMs: 10_000 });
  device = mountAt(await readMounts(), point)?.device ?? '';
});
after(async () => {
  for (const child of children) {
    child.stdin?.destroy();
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await run('umount', [point], { timeoutMs: 10_000 });
  await rm(point, { recursive: true });
});

/** Starts a shell that says when it is ready and then stays until its stdin is closed. */
const shell = async (text: string, cwd = '/', before_: string[] = []): Promise<number> => {
  const [command = 'bash', ...args] = [...before_, 'bash', '-c', `${text}; echo ready; read -r`];
  const child = spawn(command, args, { cwd, stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => assert.fail('it ended early'))]);
  return child.pid ?? 0;
};

test('nobody uses a fresh mount', async () => {
  assert.deepEqual(await findHolders(device), []);
});

test('an open file, a working directory, a program and its mapping each show with pid, command and path', async () => {
  const file = path.join(point, 'with space');
  await writeFile(file, 'x');
  const reader = await shell(`exec 7< '${file}'`);
  const inside = await shell('true', point);
  const program = path.join(point, 'sleeper');
  await copyFile('/bin/sleep', program);
  await run('chmod', ['755', program], { timeoutMs: 10_000 });
  const runner = spawn(program, ['600']);
  children.push(runner);
  await once(runner, 'spawn');
  const holders = await findHolders(device);
  const has = (pid: number | undefined, how: string, at: string): void => {
    const found = holders.find((holder) => holder.pid === pid && holder.how === how);
    assert.equal(found?.path, at, `${how} of ${pid} in ${JSON.stringify(holders)}`);
    assert.notEqual(found.command, '');
  };
  has(reader, 'file', file);
  has(inside, 'directory', point);
  has(runner.pid, 'program', program);
  has(runner.pid, 'mapping', program);
  assert.ok(!holders.some((holder) => holder.pid === process.pid));
  assert.deepEqual(await findOpeners(file), [reader]);
});

test('a chroot that is the first of its namespace hides nobody else there', async () => {
  const inside = path.join(point, 'inside');
  await run('mkdir', ['-p', inside], { timeoutMs: 10_000 });
  const script = `fork or exec "tail", "--pid=" . getppid, "--follow", "/dev/null"; chroot "."; $| = 1; print "ready\n"; <STDIN>`;
  const jailed = await shell(':', inside, [
    'sh',
    ownNamespace,
    'sh',
    '-c',
    `cd '${inside}' && exec perl -e '${script}'`,
  ]);
  const directories = (await findHolders(device)).filter((holder) => holder.how === 'directory');
  assert.ok(directories.some((holder) => holder.pid === jailed));
  assert.ok(directories.some((holder) => holder.command === `tail --pid=${jailed} --follow /dev/null`));
});

test('a service in a chroot finds who holds a mount there, though its namespace has processes outside of the chroot', async () => {
  const top = await mkdtemp(path.join(point, 'chroot-'));
  const node = path.relative(project, process.execPath);
  const script = path.join(project, 'fixtures/holders/chroot.sh');
  const { stdout } = await run('sh', [ownNamespace, 'sh', script, project, top, node], { timeoutMs: 60_000 });
  const [holder, found = ''] = stdout.toString().trim().split('\n');
  assert.deepEqual(JSON.parse(found), [[Number(holder), 'directory']]);
});

test('a process in another mount namespace shows, and so does the namespace', async () => {
  const file = path.join(point, 'elsewhere');
  await writeFile(file, 'x');
  const pid = await shell(`exec 7< '${file}'`, '/', ['sh', ownNamespace]);
  assert.ok((await findHolders(device)).some((holder) => holder.pid === pid && holder.how === 'file'));
  const namespaces = await findNamespaces(device);
  assert.ok(namespaces.some((holder) => holder.pid === pid && holder.path === point));
});
