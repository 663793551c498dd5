/** The block plane under ASan, UBSan and TSan: many requests at once, refusals on the way, and a clean end. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { glob, mkdir, open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { damage, luks2, MiB } from './containers.ts';
import { keep, luksblock, must, run, temporary } from './support.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** Compiles luksblock, with `main` in place of its own where given. */
const compile = async (program: string, sanitizers: string, main = 'native/luksblock/main.cc'): Promise<void> => {
  const all = await Array.fromAsync(glob('native/luksblock/*.cc', { cwd: root }));
  const sources = [...all.filter((file) => path.basename(file) !== 'main.cc'), main].map((file) =>
    path.join(root, file),
  );
  const packages = (
    await must('pkg-config', ['--cflags', '--libs', 'fuse3', 'libcryptsetup', 'libcrypto', 'json-c'])
  ).split(/\s+/);
  const flags = ['-std=c++20', '-O1', '-g', `-fsanitize=${sanitizers}`, '-fno-sanitize-recover=all', '-D_GNU_SOURCE'];
  await must('g++', [
    ...flags,
    ...['-D_FILE_OFFSET_BITS=64', '-Wall', '-Wextra', '-Wno-unused-parameter', '-Werror', `-I${root}/native`],
    ...[...sources, '-o', program, ...packages, '-luring', '-lpthread'],
  ]);
};

/** Four writers and readers over one megabyte, of lengths that share sectors. */
const hammer = async (plain: string): Promise<void> => {
  const worker = async (lane: number) => {
    const handle = await open(plain, 'r+');
    const bytes = randomBytes(300_000);
    for (let step = 0; step < 150; step += 1) {
      const length = 1 + ((step * 7919 + lane * 104_729) % bytes.length);
      await handle.write(bytes, 0, length, (step * 3571) % MiB);
      await handle.read(Buffer.alloc(length), 0, length, (step * 1009) % MiB);
      if (step % 16 === 0) await handle.sync();
    }
    await handle.close();
  };
  await Promise.all([0, 1, 2, 3].map(worker));
};

/** Makes the container longer while it is used; right after each command the new end takes writes. */
const growOften = async (container: string, mount: string): Promise<void> => {
  const plain = await open(path.join(mount, 'plain'), 'r+');
  for (let step = 0; step < 32; step += 1) {
    const { size } = await plain.stat();
    await truncate(container, (await stat(container)).size + MiB);
    await writeFile(path.join(mount, 'control'), 'grow\n');
    assert.equal((await plain.stat()).size, size + MiB);
    assert.equal((await plain.write(randomBytes(70_001), 0, 70_001, size - 35_000)).bytesWritten, 70_001);
    await readFile(path.join(mount, 'status'));
  }
  await plain.close();
};

/** Sixteen requests of whole sectors under way all the time, with what was written checked, and syncs in a rhythm. */
const small = (plain: string): Promise<string> =>
  must('fio', [
    ...['--name=small', `--filename=${plain}`, '--offset=2m', '--size=4m', '--direct=1', '--ioengine=libaio'],
    ...[
      '--iodepth=16',
      '--rw=randrw',
      '--bsrange=4k-64k',
      '--verify=crc32c',
      '--verify_fatal=1',
      '--verify_state_save=0',
      '--fsync=8',
    ],
  ]);

for (const sanitizers of ['address,undefined', 'thread'])
  test(`no report under -fsanitize=${sanitizers}`, { timeout: 300_000 }, async (t) => {
    const stack = new AsyncDisposableStack();
    t.after(() => stack.disposeAsync());
    const directory = await temporary(stack);
    const file = (name: string) => path.join(directory, name);
    const program = file('luksblock');
    await compile(program, sanitizers);
    await mkdir(file('mount'));
    await keep(file('key'), randomBytes(32));
    await luks2(file('container'), file('key'), 26 * MiB, ['--sector-size', '4096']);
    await damage(file('container'), 0, 8);
    // The leak checker traces its own process, which one that is not dumpable does not allow.
    const env = { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' };

    const mount = ['--container', file('container'), '--mount', file('mount')];
    await keep(file('wrong'), 'wrong');
    assert.equal((await luksblock(mount, file('wrong'), program, env)).code, 11);

    const key = openSync(file('key'), 'r');
    const child = spawn(program, [...mount, '--key-fd', '3', '--foreground'], {
      stdio: ['ignore', 'pipe', 'pipe', key],
      env,
    });
    closeSync(key);
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    stack.defer(async () => {
      await run('umount', ['-l', file('mount')]);
      await ended;
    });
    let report = '';
    child.stderr?.on('data', (bytes: Buffer) => (report += bytes.toString()));
    const ready = new Promise<void>((resolve) => child.stdout?.once('data', () => resolve()));
    await Promise.race([ready, ended.then((code) => assert.fail(`ended with ${code}: ${report}`))]);
    await Promise.all([
      hammer(file('mount/plain')),
      small(file('mount/plain')),
      growOften(file('container'), file('mount')),
    ]);
    await readFile(file('mount/status'));
    await must('umount', [file('mount')]);
    assert.equal(await ended, 0, report);
    assert.equal(report, '');
  });

test('writers of neighbouring bytes lose nothing, without a data race', { timeout: 300_000 }, async (t) => {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const directory = await temporary(stack);
  const program = path.join(directory, 'neighbours');
  const container = path.join(directory, 'container');
  await compile(program, 'thread', 'test/luksblock/neighbours.cc');
  await writeFile(container, randomBytes(MiB));
  assert.deepEqual(await run(program, [container]), { code: 0, stdout: '', stderr: '' });
});
