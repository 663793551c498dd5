/** A container that is a block device: what is written lies where a file of the same bytes has it, and nobody else uses it meanwhile. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { luks1, luks2, MiB } from './containers.ts';
import { detach, keep, loop, luksblock, mountAt, must, serve, temporary } from './support.ts';

const stack = new AsyncDisposableStack();
let directory = '';
let key = '';
before(async () => {
  directory = await temporary(stack);
  key = path.join(directory, 'key');
  await keep(key, randomBytes(64));
});
after(() => stack.disposeAsync());

const image = async (type: string, sectorSize: number): Promise<string> => {
  const file = path.join(directory, randomBytes(6).toString('hex'));
  if (type === 'luks1') await luks1(file, key, 24 * MiB);
  else await luks2(file, key, 24 * MiB, ['--sector-size', String(sectorSize)]);
  return file;
};

for (const blockSize of [512, 4096])
  for (const [type, sectorSize] of [
    ['luks1', 512],
    ['luks2', 512],
    ['luks2', 4096],
  ] as const)
    test(`${type}, ${sectorSize}-byte sectors on a device of ${blockSize}-byte blocks: direct I/O, and the bytes of a file`, async () => {
      const file = await image(type, sectorSize);
      const device = await loop(stack, file, blockSize);
      const served = await serve(stack, device, key);
      const expected = await readFile(served.plain);
      const handle = await open(served.plain, 'r+');
      // whole units, parts of one, across several, and the last byte
      for (const [at, length] of [
        [0, 4096],
        [5000, 700],
        [12_800, 9000],
        [served.ready.size - 1, 1],
      ] as const) {
        const bytes = randomBytes(length);
        await handle.write(bytes, 0, length, at);
        bytes.copy(expected, at);
      }
      await handle.sync();
      await handle.close();
      const { directIo, unit, errors } = await served.status();
      assert.deepEqual([directIo, unit, errors.last], [true, Math.max(blockSize, sectorSize), '']);
      assert.ok((await readFile(served.plain)).equals(expected));
      await served.close();
      await detach(device);
      const again = await serve(stack, file, key);
      assert.ok((await readFile(again.plain)).equals(expected));
      await again.close();
    });

const refusal = async (container: string): Promise<[number | null, string]> => {
  const mount = await mkdtemp(path.join(directory, 'refused-'));
  const { code, stderr } = await luksblock(['--container', container, '--mount', mount], key);
  return [code, (JSON.parse(stderr) as { error: string }).error];
};

test('a device has one user: not one that is served through another node, not one that is mounted', async () => {
  const device = await loop(stack, await image('luks2', 4096), 512);
  const served = await serve(stack, device, key);
  const node = path.join(directory, 'node');
  const numbers = (await must('stat', ['-c', '%Hr %Lr', device])).split(' ');
  await must('mknod', [node, 'b', ...numbers]);
  assert.deepEqual(await refusal(node), [19, 'in-use']);
  await assert.rejects(must('mkfs.ext4', ['-q', '-F', device]), /in use/);
  await served.close();

  await must('mkfs.ext4', ['-q', '-F', device]);
  await mountAt(stack, device, path.join(directory, 'mounted'));
  assert.deepEqual(await refusal(device), [19, 'in-use']);
});

test('no character device', async () => {
  assert.deepEqual(await refusal('/dev/zero'), [20, 'io']);
});

test('a device that is read-only is served with --read-only alone', async () => {
  const device = await loop(stack, await image('luks2', 4096), 512, ['--read-only']);
  assert.deepEqual(await refusal(device), [20, 'io']);
  const served = await serve(stack, device, key, ['--read-only']);
  await assert.rejects(writeFile(served.plain, 'x'), { code: 'EROFS' });
  await served.close();
});

test('a device that became longer grows when somebody says so', async () => {
  const file = await image('luks2', 4096);
  const device = await loop(stack, file, 512);
  const served = await serve(stack, device, key);
  const { size } = served.ready;
  await truncate(file, 40 * MiB);
  await must('losetup', ['--set-capacity', device]);
  assert.equal((await served.status()).size, size);
  await writeFile(path.join(served.mount, 'control'), 'grow\n');
  assert.equal((await served.status()).size, size + 16 * MiB);
  const bytes = randomBytes(4096);
  const handle = await open(served.plain, 'r+');
  await handle.write(bytes, 0, bytes.length, size + 15 * MiB);
  await handle.sync();
  await handle.close();
  assert.ok((await readFile(served.plain)).subarray(size + 15 * MiB, size + 15 * MiB + 4096).equals(bytes));
  await served.close();
});
