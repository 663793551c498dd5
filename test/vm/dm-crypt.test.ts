/** The virtual machine itself: a kernel with dm-crypt boots, runs commands, and tells clearly when it cannot. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { missingForVm, Vm } from './vm.ts';

const missing = await missingForVm();
const options = { skip: missing === undefined ? false : `needs ${missing}`, timeout: 240_000 };
let vm: Vm | undefined;
const machine = (): Vm => vm ?? assert.fail('the machine did not start');
before(async () => {
  if (missing === undefined) vm = await Vm.start({ scratchMiB: 256 });
});
after(() => vm?.close());

test('commands give stdout, stderr and exit code, whatever their bytes', options, async () => {
  const result = await machine().run(`printf 'a\\nb =  c'; echo "it's" >&2; exit 7`);
  assert.deepEqual(result, { stdout: 'a\nb =  c', stderr: "it's\n", exitCode: 7 });
});

test('what the kernel prints does not reach an answer', options, async () => {
  const { stdout } = await machine().run(
    'echo "1 0 =ZmFrZQ== =" > /dev/kmsg; echo "<0>2 0 = =" > /dev/kmsg; echo real',
  );
  assert.equal(stdout, 'real\n');
});

test('a command that hangs is ended and the machine goes on', options, async () => {
  assert.equal((await machine().run('sleep 1000', { timeoutMs: 2000 })).exitCode, 124);
  assert.equal(await machine().check('echo on'), 'on\n');
});

test('an orphan that ends while another process is stopped takes nothing along', options, async () => {
  const command = `sleep 100 & stopped=$!; kill -STOP $stopped; (sleep 0.5 & exit); sleep 3; kill -KILL $stopped; echo on`;
  assert.equal(await machine().check(command), 'on\n');
});

test('the host is read-only, the exchange folder is shared both ways', options, async () => {
  const file = path.join(machine().exchange, 'from-host');
  await writeFile(file, 'host');
  assert.equal(await machine().check('cat /exchange/from-host; echo guest > /exchange/from-guest'), 'host');
  assert.equal(await readFile(path.join(machine().exchange, 'from-guest'), 'utf8'), 'guest\n');
  await machine().check(`echo changed > '${import.meta.filename}'`);
  assert.match(await readFile(import.meta.filename, 'utf8'), /^\/\*\* The virtual machine itself/);
});

test('the Node of this tree runs in the guest', options, async () => {
  const { stdout } = await machine().run(`'${process.execPath}' -p process.version`, { timeoutMs: 60_000 });
  assert.equal(stdout.trim(), process.version);
});

test('cryptsetup formats, opens, and ext4 mounts on dm-crypt', options, async () => {
  await machine().check(
    `set -e; truncate -s 64M /scratch/c.luks; printf secret > /run/key
    cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file /run/key /scratch/c.luks
    cryptsetup open --key-file /run/key /scratch/c.luks plain
    dmsetup table plain | grep -q ' crypt aes-xts-plain64 '
    mkfs.ext4 -q /dev/mapper/plain; mkdir -p /mnt; mount /dev/mapper/plain /mnt
    echo held > /mnt/file; umount /mnt; cryptsetup close plain`,
    { timeoutMs: 120_000 },
  );
  const wrong = await machine().run('printf wrong | cryptsetup open --key-file - /scratch/c.luks plain');
  assert.equal(wrong.exitCode, 2, wrong.stderr);
});

test('a kernel panic is told with the end of the console, and closing twice is harmless', options, async () => {
  await assert.rejects(
    machine().run('echo c > /proc/sysrq-trigger; sleep 60'),
    /machine ended.*sysrq triggered crash/is,
  );
  await assert.rejects(machine().run('true'), /machine ended/);
  await Promise.all([machine().close(), machine().close()]);
  await assert.rejects(machine().run('true'), /closed/);
});

/** Process ids whose command line names the folder. */
const using = async (folder: string): Promise<string[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return pids.filter((_, index) => lines[index]?.includes(folder));
};

test('closing leaves no process and no file', options, async () => {
  const folder = path.dirname(machine().exchange);
  await machine().close();
  assert.deepEqual(await using(folder), []);
  assert.equal(existsSync(folder), false);
});

test('a killed test leaves no machine', options, async () => {
  const script = `const { Vm } = await import('${import.meta.dirname}/vm.ts');
    console.log((await Vm.start({ scratchMiB: 64 })).exchange);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const folder = path.dirname(line.toString().trim());
  assert.ok((await using(folder)).length >= 3, 'the machine and its two file servers');
  child.kill('SIGKILL');
  await once(child, 'exit');
  for (let round = 0; round < 50 && (await using(folder)).length > 0; round += 1)
    await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(await using(folder), []);
  await rm(folder, { recursive: true });
});

test('a machine that does not boot in time is told as such', options, async () => {
  await assert.rejects(Vm.start({ bootTimeoutMs: 300 }), /did not boot within 0 s/);
});
