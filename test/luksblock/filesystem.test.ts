/** ext4 on a loop device over `plain`: what the kernel does to a block device that cannot punch holes, fails, or dies. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { luks2, MiB } from './containers.ts';
import { detach, ended, keep, loop, mountAt, must, run, serve, temporary, until } from './support.ts';

const stack = new AsyncDisposableStack();
let directory = '';
let key = '';
before(async () => {
  directory = await temporary(stack);
  key = path.join(directory, 'key');
  await keep(key, randomBytes(32));
});
after(() => stack.disposeAsync());

const code = (wanted: string) => (error: NodeJS.ErrnoException) => error.code === wanted;
const fsck = async (device: string): Promise<void> => {
  const outcome = await run('fsck.ext4', ['-f', '-n', device]);
  assert.equal(outcome.code, 0, outcome.stdout);
};

test('lazily initialised inode tables are zeros, not what a punched hole would decrypt to', async (t) => {
  const inner = new AsyncDisposableStack();
  t.after(() => inner.disposeAsync());
  const container = path.join(directory, 'lazy');
  const at = path.join(directory, 'lazy-mount');
  await luks2(container, key, 272 * MiB, ['--sector-size', '4096']);
  const served = await serve(inner, container, key);
  // Not zeros before: a table that nobody initialised would show.
  await writeFile(served.plain, randomBytes(64 * MiB), { flag: 'r+' });
  const device = await loop(inner, served.plain, 4096);
  assert.equal((await readFile(`/sys/block/${path.basename(device)}/loop/dio`, 'utf8')).trim(), '1');
  await must('mkfs.ext4', ['-q', '-I', '256', '-N', '65536', '-E', 'lazy_itable_init=1,nodiscard', device]);
  await mountAt(inner, device, at, 'init_itable=0');
  const bytes = randomBytes(8 * MiB);
  await writeFile(path.join(at, 'file'), bytes, { flush: true });
  // The kernel thread begins after up to 5 s and zeroes the tables one group after the other.
  const groups = () => must('dumpe2fs', [device]);
  await until('the inode tables', async () => [...(await groups()).matchAll(/ITABLE_ZEROED/g)].length === 2);
  assert.equal((await run('fallocate', ['-p', '-l', '4096', served.plain])).code, 1);
  // Whatever fstrim says at its first try: the loop device learns that there is no discard, and gives no space away.
  await run('fstrim', [at]);
  const queue = `/sys/block/${path.basename(device)}/queue`;
  assert.equal((await readFile(`${queue}/discard_max_bytes`, 'utf8')).trim(), '0');
  await must('umount', [at]);
  await fsck(device);
  const second = [...(await groups()).matchAll(/Inode table at (\d+)-(\d+)/g)][1]?.slice(1).map(Number) as [
    number,
    number,
  ];
  const table = Buffer.alloc((second[1] - second[0] + 1) * 4096, 1);
  const handle = await open(served.plain, 'r');
  await handle.read(table, 0, table.length, second[0] * 4096);
  await handle.close();
  assert.ok(table.equals(Buffer.alloc(table.length)));
  await mountAt(inner, device, at);
  assert.ok((await readFile(path.join(at, 'file'))).equals(bytes));
  assert.equal(Number(await must('stat', ['-c', '%b', container])) * 512 >= 272 * MiB, true, 'still preallocated');
});

test('kill -9 under a mounted ext4: EIO at once, everything comes apart, what was synced is there again', async (t) => {
  const inner = new AsyncDisposableStack();
  t.after(() => inner.disposeAsync());
  const container = path.join(directory, 'killed');
  const at = path.join(directory, 'killed-mount');
  await luks2(container, key, 80 * MiB, ['--sector-size', '4096']);
  const served = await serve(inner, container, key);
  const device = await loop(inner, served.plain, 4096);
  await must('mkfs.ext4', ['-q', '-E', 'nodiscard', device]);
  await mountAt(inner, device, at, 'errors=remount-ro');
  const synced = randomBytes(4 * MiB);
  await writeFile(path.join(at, 'synced'), synced, { flush: true });
  await must('sync', ['-f', at]);
  const writer = await open(path.join(at, 'torn'), 'w');
  await writer.write(randomBytes(MiB));

  process.kill(served.ready.pid, 'SIGKILL');
  const start = Date.now();
  await assert.rejects(writer.sync(), code('EIO'));
  assert.ok(Date.now() - start < 5000);
  await writer.close();
  await ended(served.ready.pid);
  await must('umount', [at]);
  await must('losetup', ['-d', device]);
  await detach(device);
  await must('fusermount3', ['-u', served.mount]);
  await served.close();

  const again = await serve(inner, container, key);
  const other = await loop(inner, again.plain, 4096);
  assert.ok(((await run('fsck.ext4', ['-f', '-p', other])).code ?? 8) <= 1);
  await fsck(other);
  await mountAt(inner, other, at);
  assert.ok((await readFile(path.join(at, 'synced'))).equals(synced));
});

test('the errors of the container reach fsync and write, and are counted', async (t) => {
  const inner = new AsyncDisposableStack();
  t.after(() => inner.disposeAsync());
  // A disk that dies: the inner container lies on an ext4 over a block plane of its own, which is then killed.
  const outer = path.join(directory, 'outer');
  const at = path.join(directory, 'outer-mount');
  await luks2(outer, key, 96 * MiB, ['--sector-size', '4096']);
  const disk = await serve(inner, outer, key);
  const device = await loop(inner, disk.plain, 4096);
  await must('mkfs.ext4', ['-q', '-E', 'nodiscard', device]);
  await mountAt(inner, device, at);
  const container = path.join(at, 'inner');
  await luks2(container, key, 20 * MiB, ['--sector-size', '4096']);
  const mountPoint = path.join(directory, 'inner-view');
  await must('mkdir', [mountPoint]);
  const served = await serve(inner, container, key, [], undefined, mountPoint);
  const handle = await open(served.plain, 'r+');
  await handle.write(Buffer.alloc(8192), 0, 8192, 0);
  await handle.sync();

  process.kill(disk.ready.pid, 'SIGKILL');
  await ended(disk.ready.pid);
  await assert.rejects(handle.write(Buffer.alloc(4096), 0, 4096, 0), (error: NodeJS.ErrnoException) =>
    ['EIO', 'EROFS'].includes(error.code ?? ''),
  );
  // A part of the failed write may be on the disk, so the sync cannot be answered without it.
  await assert.rejects(handle.sync(), code('EIO'));
  await handle.close().catch(() => undefined); // a close flushes, and that fails too
  const { errors } = await served.status();
  assert.ok(errors.syncs >= 1 && errors.writes === 1, JSON.stringify(errors));
  await served.close();
});

test('no space under a sparse container is an error of the write, not a silent loss', async (t) => {
  const inner = new AsyncDisposableStack();
  t.after(() => inner.disposeAsync());
  const small = path.join(directory, 'small');
  await must('mkdir', [small]);
  await must('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', small]);
  inner.defer(async () => void (await run('umount', [small])));
  const container = path.join(small, 'container');
  await must('truncate', ['-s', String(64 * MiB), container]);
  await must('cryptsetup', [
    ...['luksFormat', '-q', '--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--sector-size', '4096'],
    ...[container, '--key-file', key],
  ]);
  const mountPoint = path.join(directory, 'small-view');
  await must('mkdir', [mountPoint]);
  const served = await serve(inner, container, key, [], undefined, mountPoint);
  const handle = await open(served.plain, 'r+');
  const fill = async () => {
    for (let at = 0; at < 40 * MiB; at += MiB) await handle.write(randomBytes(MiB), 0, MiB, at);
  };
  await assert.rejects(fill(), code('ENOSPC'));
  assert.equal((await served.status()).errors.last, 'ENOSPC');
  await handle.close();
  await served.close();
});
