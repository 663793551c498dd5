/** Which copy of a LUKS2 header is used, and that none is ever written. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { open, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { damage, luks2, MiB } from './containers.ts';
import { keep, must, serve, temporary } from './support.ts';

const headerHash = async (file: string): Promise<string> => {
  const handle = await open(file, 'r');
  const bytes = Buffer.alloc(16 * MiB);
  await handle.read(bytes, 0, bytes.length, 0);
  await handle.close();
  return createHash('sha256').update(bytes).digest('hex');
};

for (const args of [[], ['--read-only']])
  for (const [name, offset, length] of [
    ['its magic', 0, 8],
    ['its metadata', 4200, 100],
    ['its checksum', 450, 8],
  ] as const)
    test(`primary header with ${name} damaged: the secondary is used, nothing is repaired ${args.join('')}`, async (t) => {
      const stack = new AsyncDisposableStack();
      t.after(() => stack.disposeAsync());
      const directory = await temporary(stack);
      const key = path.join(directory, 'key');
      const container = path.join(directory, 'container');
      await keep(key, randomBytes(32));
      await luks2(container, key, 20 * MiB);
      const truth = randomBytes(MiB);
      const first = await serve(stack, container, key);
      assert.equal(first.ready.header, 'primary');
      await writeFile(first.plain, truth, { flag: 'r+', flush: true });
      await first.close();

      await damage(container, offset, length);
      const before = await headerHash(container);
      const second = await serve(stack, container, key, args);
      assert.equal(second.ready.header, 'secondary');
      assert.ok((await readFile(second.plain)).subarray(0, MiB).equals(truth));
      await second.close();
      assert.equal(await headerHash(container), before);

      // What an admin does about it; then the primary is read again.
      await must('cryptsetup', ['repair', '-q', container]);
      assert.equal((await serve(stack, container, key)).ready.header, 'primary');
    });

test('a secondary header further out is found too, and keyslots behind 16 MiB', async (t) => {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const directory = await temporary(stack);
  const key = path.join(directory, 'key');
  const container = path.join(directory, 'container');
  await keep(key, randomBytes(32));
  const sizes = ['--luks2-metadata-size', '4m', '--luks2-keyslots-size', '32m', '--offset', String((48 * MiB) / 512)];
  await luks2(container, key, 52 * MiB, sizes);
  // Keyslots are placed one behind the other; the last of many lies beyond 16 MiB.
  const last = path.join(directory, 'last');
  await keep(last, randomBytes(32));
  for (let slot = 1; slot < 32; slot += 1)
    await must('cryptsetup', [
      ...['luksAddKey', '-q', '--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--key-slot', String(slot)],
      ...['--key-file', key, container, last],
    ]);
  await damage(container, 0, 8);
  const served = await serve(stack, container, last, ['--key-slot', '31']);
  assert.equal(served.ready.header, 'secondary');
  assert.equal(served.ready.size, 4 * MiB);
});
