/** The `plain` file as a block device sees it: any offset and length, many at once, and what is refused. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, open, readdir, readFile, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { grow, luks1, luks2, MiB } from './containers.ts';
import { keep, loop, mountAt, must, run, type Served, serve, temporary, until } from './support.ts';

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

/** Random writes and reads against a model in memory. */
const property = async (served: Served, runs: number): Promise<void> => {
  const size = Math.min(served.ready.size, 3 * MiB);
  const start = served.ready.size - size; // the end of the payload is where mistakes are
  const handle = await open(served.plain, 'r+');
  const model = randomBytes(size);
  await handle.write(model, 0, size, start);
  const where = fc.oneof(
    fc.nat(size - 1),
    fc.nat(size / 512 - 1).map((n) => n * 512),
  );
  const length = fc.oneof(fc.integer({ min: 1, max: 9000 }), fc.integer({ min: 1, max: MiB + 9000 }));
  await fc.assert(
    fc.asyncProperty(fc.boolean(), where, length, async (writing, at, wanted) => {
      const count = Math.min(wanted, size - at);
      if (writing) {
        const bytes = randomBytes(count);
        const { bytesWritten } = await handle.write(bytes, 0, count, start + at);
        assert.equal(bytesWritten, count);
        bytes.copy(model, at);
      } else {
        const { bytesRead, buffer } = await handle.read(Buffer.alloc(count), 0, count, start + at);
        assert.equal(bytesRead, count);
        assert.ok(buffer.equals(model.subarray(at, at + count)));
      }
    }),
    { numRuns: runs, endOnFailure: true },
  );
  const { buffer } = await handle.read(Buffer.alloc(size), 0, size, start);
  assert.ok(buffer.equals(model));
  await handle.close();
};

for (const sectorSize of [512, 4096])
  test(`any offset and length, ${sectorSize}-byte sectors`, async () => {
    const container = path.join(directory, `property-${sectorSize}`);
    await luks2(container, key, 20 * MiB, ['--sector-size', String(sectorSize)]);
    const served = await serve(stack, container, key);
    assert.equal((await served.status()).directIo, true);
    await property(served, 300);
    await served.close();
  });

// Blocks of 512 bytes to 64 KiB over units of 4096: whole units at once beside parts of a unit that wait for their neighbours.
test('many requests at once through a loop device, each block as it was written', async () => {
  const container = path.join(directory, 'verify');
  await luks2(container, key, 40 * MiB, ['--sector-size', '4096']);
  const served = await serve(stack, container, key);
  await using device = new AsyncDisposableStack();
  const name = await loop(device, served.plain, 512);
  await must('fio', [
    ...['--name=verify', `--filename=${name}`, '--size=16m', '--direct=1', '--ioengine=libaio', '--iodepth=32'],
    ...[
      '--rw=randwrite',
      '--bsrange=512-64k',
      '--blockalign=512',
      '--verify=crc32c',
      '--verify_fatal=1',
      '--verify_state_save=0',
      '--fsync=64',
    ],
  ]);
  const { requests, errors } = await served.status();
  assert.ok(requests.writes > 500 && requests.reads > 500, JSON.stringify(requests));
  assert.deepEqual(errors, { reads: 0, writes: 0, syncs: 0, last: '' });
  await device.disposeAsync();
  await served.close();
});

test('on a disk of 4096-byte blocks: direct I/O of whole blocks, or buffered with the reason told', async (t) => {
  const inner = new AsyncDisposableStack();
  t.after(() => inner.disposeAsync());
  const image = path.join(directory, 'disk');
  const at = path.join(directory, 'disk-mount');
  await must('fallocate', ['-l', String(96 * MiB), image]);
  const device = await loop(inner, image, 4096);
  await must('mkfs.ext4', ['-q', device]);
  await mountAt(inner, device, at);
  const container = path.join(at, 'container');
  await luks1(container, key, 8 * MiB);
  const direct = await serve(inner, container, key);
  const status = await direct.status();
  assert.deepEqual([status.directIo, status.unit], [true, 4096]);
  await property(direct, 150);
  await direct.close();

  await grow(container, 8 * MiB + 512);
  const buffered = await serve(inner, container, key);
  const other = await buffered.status();
  assert.deepEqual([other.directIo, other.unit], [false, 512]);
  assert.match(other.refused.directIo ?? '', /not aligned to the direct I\/O unit of 4096 bytes/);
  await property(buffered, 150);
  await buffered.close();
});

test('what a block device has not is refused', async () => {
  const container = path.join(directory, 'refusals');
  await luks2(container, key, 20 * MiB, ['--sector-size', '4096']);
  const served = await serve(stack, container, key);
  const size = served.ready.size;
  assert.deepEqual((await readdir(served.mount)).sort(), ['control', 'plain', 'status']);
  assert.equal((await stat(served.plain)).size, size);
  await assert.rejects(truncate(served.plain, 0), code('EPERM'));
  await assert.rejects(truncate(served.plain, size + 4096), code('EPERM'));
  await assert.rejects(chmod(served.plain, 0o666), code('EPERM'));
  await assert.rejects(open(path.join(served.mount, 'other'), 'w'), /ENOSYS|EPERM|EACCES|EROFS/);
  await assert.rejects(open(path.join(served.mount, 'status'), 'r+'), code('EACCES'));
  for (const mode of [['-p'], ['-z'], ['-n'], ['-c'], ['-i'], []]) {
    const { code: exit, stderr } = await run('fallocate', [...mode, '-o', '0', '-l', '4096', served.plain]);
    assert.equal(exit, 1);
    assert.match(stderr, /not supported|unsupported/);
  }
  const handle = await open(served.plain, 'r+');
  await assert.rejects(handle.write(Buffer.alloc(4096), 0, 4096, size), code('ENOSPC'));
  assert.equal((await handle.read(Buffer.alloc(10), 0, 10, size)).bytesRead, 0);
  await handle.close();
  assert.equal((await stat(container)).size, 20 * MiB);
  await served.close();
});

test('read-only: reads, refuses writes, may be shared with another reader', async () => {
  const container = path.join(directory, 'read-only');
  await luks2(container, key, 20 * MiB);
  const before = await readFile(container);
  const served = await serve(stack, container, key, ['--read-only']);
  const other = await serve(stack, container, key, ['--read-only']);
  assert.ok((await readFile(served.plain)).equals(await readFile(other.plain)));
  await assert.rejects(open(served.plain, 'r+'), code('EROFS'));
  assert.equal((await served.status()).readOnly, true);
  await served.close();
  await other.close();
  assert.ok((await readFile(container)).equals(before));
});

test('status tells what is served and what the machine refused', async () => {
  const container = path.join(directory, 'status');
  await luks2(container, key, 20 * MiB);
  const served = await serve(stack, container, key);
  const handle = await open(served.plain, 'r+');
  await handle.write(Buffer.alloc(8192), 0, 8192, 0);
  await handle.sync();
  await handle.close();
  const status = await served.status();
  assert.equal(status.pid, served.ready.pid);
  assert.equal(status.dumpable, false);
  // Each capability is there, or its refusal is told in words.
  assert.equal(status.ioFlusher, status.refused.ioFlusher === undefined);
  assert.equal(status.memoryLocked, status.refused.memoryLocked === undefined);
  const locked = /VmLck:\s+(\d+)/.exec(await readFile(`/proc/${status.pid}/status`, 'utf8'))?.[1];
  assert.equal(Number(locked) > 0, status.memoryLocked);
  assert.equal(status.requests.writtenBytes, 8192);
  assert.ok(status.requests.syncs >= 1);
  assert.deepEqual(status.errors, { reads: 0, writes: 0, syncs: 0, last: '' });
  await served.close();
});

test('SIGTERM waits for a loop device over the volume, then ends cleanly', async () => {
  const container = path.join(directory, 'term');
  await luks2(container, key, 20 * MiB, ['--sector-size', '4096']);
  const served = await serve(stack, container, key);
  await using device = new AsyncDisposableStack();
  const name = await loop(device, served.plain, 4096);
  process.kill(served.ready.pid, 'SIGPIPE');
  process.kill(served.ready.pid, 'SIGTERM');
  process.kill(served.ready.pid, 'SIGTERM');
  await new Promise((resolve) => setTimeout(resolve, 400));
  await must('dd', ['if=/dev/zero', `of=${name}`, 'bs=64k', 'count=8', 'oflag=direct', 'conv=fsync']);
  await device.disposeAsync();
  await until('the mount to go', async () => (await run('mountpoint', ['-q', served.mount])).code !== 0);
  await served.close();
});
