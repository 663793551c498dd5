/** A container that becomes longer while it is served: when the plane learns it, what stands on disk then, and what is refused. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { decryptInPlace, editLuks2, grow, luks1, luks2, MiB } from './containers.ts';
import { keep, loop, must, qemuImg, type Served, serve, temporary } from './support.ts';

const stack = new AsyncDisposableStack();
let directory = '';
let key = '';
before(async () => {
  directory = await temporary(stack);
  key = path.join(directory, 'key');
  await keep(key, randomBytes(32).toString('hex')); // qemu takes text only
});
after(() => stack.disposeAsync());

const code = (wanted: string) => (error: NodeJS.ErrnoException) => error.code === wanted;
const tell = (served: Served, command = 'grow\n'): Promise<void> =>
  writeFile(path.join(served.mount, 'control'), command);
const writeAt = async (file: string, bytes: Buffer, at: number): Promise<void> => {
  const handle = await open(file, 'r+');
  try {
    for (let done = 0; done < bytes.length; ) {
      done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/** The decrypted payload as another program than ours reads it. */
const reference = {
  luks2: async (container: string): Promise<Buffer> => {
    await decryptInPlace(container, key);
    return readFile(container);
  },
  luks1: async (container: string): Promise<Buffer> => {
    const secret = ['--object', `secret,id=k,file=${key}`];
    const source = `driver=luks,key-secret=k,file.filename=${container}`;
    await qemuImg(['convert', ...secret, '--image-opts', source, '-O', 'raw', `${container}.raw`]);
    return readFile(`${container}.raw`);
  },
};

for (const [type, sectorSize] of [
  ['luks1', 512],
  ['luks2', 512],
  ['luks2', 4096],
] as const)
  test(`${type}, ${sectorSize}-byte sectors: grows beneath a loop device, and others read what lies beyond the old end`, async () => {
    const container = path.join(directory, `${type}-${sectorSize}`);
    await (type === 'luks1'
      ? luks1(container, key, 20 * MiB)
      : luks2(container, key, 20 * MiB, ['--sector-size', String(sectorSize)]));
    const served = await serve(stack, container, key);
    const old = served.ready.size;
    const device = await loop(stack, served.plain, sectorSize);
    const across = randomBytes(6 * MiB);
    const capacity = async (): Promise<number> => {
      await must('losetup', ['--set-capacity', device]);
      return Number(await must('blockdev', ['--getsize64', device]));
    };

    // Nothing is learnt by itself: whoever allocates has not said yet that it is done.
    await must('fallocate', ['-l', String(28 * MiB), container]);
    await assert.rejects(writeAt(served.plain, across, old), code('ENOSPC'));
    assert.equal((await stat(served.plain)).size, old);
    assert.equal(await capacity(), old);

    await tell(served);
    assert.equal(await capacity(), old + 8 * MiB, 'the kernel must not answer from an old attribute');
    assert.equal((await served.status()).size, old + 8 * MiB);
    await writeAt(device, across, old - MiB);
    await tell(served);
    assert.equal((await stat(served.plain)).size, old + 8 * MiB);

    await must('losetup', ['--detach', device]);
    await served.close();
    assert.equal((await stat(container)).size, 28 * MiB);
    const payload = await reference[type](container);
    assert.ok(payload.subarray(old - MiB, old + 5 * MiB).equals(across));
  });

test('writes go on while it grows, again and again', async () => {
  const container = path.join(directory, 'often');
  await luks2(container, key, 20 * MiB, ['--sector-size', '4096']);
  const served = await serve(stack, container, key);
  const truth = Buffer.alloc(served.ready.size + 32 * MiB);
  const written = 3 * 80 * 12_345;
  randomBytes(written).copy(truth);
  await writeAt(served.plain, truth.subarray(0, written), 0);
  const end = new AbortController();
  const writer = async (lane: number): Promise<void> => {
    const handle = await open(served.plain, 'r+');
    for (let step = 0; !end.signal.aborted; step += 1) {
      const bytes = randomBytes(12_345);
      const at = (lane + 3 * (step % 80)) * bytes.length;
      await handle.write(bytes, 0, bytes.length, at);
      bytes.copy(truth, at);
    }
    await handle.close();
  };
  const writers = [0, 1, 2].map(writer);
  for (let step = 0; step < 32; step += 1) {
    const end = served.ready.size + step * MiB;
    await grow(container, 20 * MiB + (step + 1) * MiB);
    await tell(served);
    const bytes = randomBytes(MiB);
    await writeAt(served.plain, bytes, end);
    bytes.copy(truth, end);
  }
  end.abort();
  await Promise.all(writers);
  const read = await readFile(served.plain);
  assert.equal(read.length, truth.length);
  assert.ok(read.subarray(0, written).equals(truth.subarray(0, written)));
  assert.ok(read.subarray(served.ready.size).equals(truth.subarray(served.ready.size)));
  assert.deepEqual((await served.status()).errors, { reads: 0, writes: 0, syncs: 0, last: '' });
  await served.close();
});

test('a payload of fixed size does not grow, and the status says why from the start', async () => {
  const container = path.join(directory, 'fixed');
  await luks2(container, key, 20 * MiB, ['--sector-size', '4096']);
  await editLuks2(container, ({ segments }) => {
    for (const segment of Object.values(segments)) segment.size = String(MiB);
  });
  const served = await serve(stack, container, key);
  await grow(container, 28 * MiB);
  await assert.rejects(tell(served), code('ENOTSUP'));
  const status = await served.status();
  assert.equal(status.size, MiB);
  assert.match(status.refused.grow ?? '', /fixed size of 1048576 bytes/);
  await served.close();
});

test('it never shrinks, takes whole units only, and one that was refused can grow later', async () => {
  const container = path.join(directory, 'shorter');
  await luks2(container, key, 24 * MiB, ['--sector-size', '4096']);
  const served = await serve(stack, container, key);
  const refused = async (bytes: number, reason: RegExp): Promise<void> => {
    await truncate(container, bytes);
    await assert.rejects(tell(served), code('EINVAL'));
    const status = await served.status();
    assert.equal(status.size, served.ready.size);
    assert.match(status.refused.grow ?? '', reason);
  };
  await refused(20 * MiB, /20971520 bytes, less than is served/);
  await refused(MiB, /1048576 bytes, less than is served/);
  await refused(24 * MiB + 512, /not whole units of 4096/);
  await grow(container, 25 * MiB);
  await tell(served);
  const status = await served.status();
  assert.deepEqual([status.size, status.refused.grow], [served.ready.size + MiB, undefined]);
  await served.close();
});

test('the control file takes one word from a writer, and nothing with --read-only', async () => {
  const container = path.join(directory, 'control');
  await luks2(container, key, 20 * MiB);
  const served = await serve(stack, container, key);
  await assert.rejects(readFile(path.join(served.mount, 'control')), code('EACCES'));
  await assert.rejects(open(path.join(served.mount, 'control'), 'r+'), code('EACCES'));
  for (const other of ['shrink', 'grow\n\n', 'growgrow', '\0', 'grow'.repeat(9000)])
    await assert.rejects(tell(served, other), code('EINVAL'));
  await tell(served, 'grow');
  await served.close();
  const still = await serve(stack, container, key, ['--read-only']);
  await grow(container, 21 * MiB);
  await assert.rejects(tell(still), code('EROFS'));
  assert.equal((await stat(still.plain)).size, still.ready.size);
  await still.close();
});
