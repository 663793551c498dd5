/**
 * Byte for byte against other implementations: cryptsetup (reencryption in both directions, which needs no device-mapper)
 * for LUKS2, qemu for LUKS1. Whole payloads, since a wrong IV rule can still get the first sector right.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { decryptInPlace, encryptInPlace, luks1, MiB, writePieces } from './containers.ts';
import { keep, must, qemuImg, serve, temporary } from './support.ts';

const setup = async (stack: AsyncDisposableStack) => {
  const directory = await temporary(stack);
  const key = path.join(directory, 'key');
  await keep(key, randomBytes(32).toString('hex')); // qemu takes text only
  return { directory, key, container: path.join(directory, 'container') };
};

for (const keyBits of [256, 512])
  for (const sectorSize of [512, 1024, 2048, 4096])
    test(`LUKS2, ${sectorSize}-byte sectors, ${keyBits}-bit key: reads and writes what cryptsetup does`, async (t) => {
      const stack = new AsyncDisposableStack();
      t.after(() => stack.disposeAsync());
      const { key, container } = await setup(stack);
      const truth = randomBytes(36 * MiB);
      await writeFile(container, truth);
      await encryptInPlace(container, key, sectorSize, keyBits);
      const served = await serve(stack, container, key);
      assert.equal(served.ready.sectorSize, sectorSize);
      assert.equal(served.ready.keyBits, keyBits);
      const read = await readFile(served.plain);
      assert.ok(read.subarray(0, 4 * MiB).equals(truth.subarray(0, 4 * MiB)));

      const written = randomBytes(served.ready.size);
      await writePieces(served.plain, written);
      await served.close();
      await decryptInPlace(container, key);
      assert.ok((await readFile(container)).subarray(0, written.length).equals(written));
    });

for (const [algorithm, keyBits] of [
  ['aes-128', 256],
  ['aes-256', 512],
] as const)
  test(`LUKS1, ${keyBits}-bit key: reads and writes what qemu does`, async (t) => {
    const stack = new AsyncDisposableStack();
    t.after(() => stack.disposeAsync());
    const { directory, key, container } = await setup(stack);
    const truth = path.join(directory, 'truth');
    const back = path.join(directory, 'back');
    await writeFile(truth, randomBytes(3 * MiB));
    const secret = ['--object', `secret,id=k,file=${key}`];
    const luks = `key-secret=k,iter-time=10,cipher-alg=${algorithm}`;
    await qemuImg(['convert', ...secret, '-f', 'raw', '-O', 'luks', '-o', luks, truth, container]);
    const served = await serve(stack, container, key);
    assert.equal(served.ready.type, 'LUKS1');
    assert.equal(served.ready.keyBits, keyBits);
    assert.ok((await readFile(served.plain)).equals(await readFile(truth)));

    const written = randomBytes(3 * MiB);
    await writePieces(served.plain, written);
    await served.close();
    const source = `driver=luks,key-secret=k,file.filename=${container}`;
    await qemuImg(['convert', ...secret, '--image-opts', source, '-O', 'raw', back]);
    assert.ok((await readFile(back)).equals(written));
  });

test('LUKS1 made by cryptsetup opens, with a binary key that holds newlines and zeros', async (t) => {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const { key, container } = await setup(stack);
  await keep(key, Buffer.from([0x61, 0x0a, 0x00, 0x62, 0x0a]));
  await luks1(container, key, 4 * MiB, ['--key-size', '512']);
  const served = await serve(stack, container, key, ['--key-slot', '0']);
  assert.equal(served.ready.size, 2 * MiB);
  assert.equal(served.ready.uuid, await must('cryptsetup', ['luksUUID', container]));
});
