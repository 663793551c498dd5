import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import type { ReadStream } from 'node:tty';
import { askSecret, readSecret } from '../../src/cli/secret.ts';

test('standard input: without its last line end, and the pieces are zeroed', async () => {
  const pieces = [Buffer.from('corr'), Buffer.from('ect\nhorse\n')];
  const secret = await readSecret('-', Readable.from(pieces));
  assert.equal(secret.toString(), 'correct\nhorse');
  assert.ok(pieces.every((piece) => piece.every((byte) => byte === 0)));
});

test('a file: byte for byte', async (t) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'reelvault-cli-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = path.join(directory, 'key');
  await writeFile(file, Buffer.from([0, 255, 10]));
  assert.deepEqual([...(await readSecret(file))], [0, 255, 10]);
  await writeFile(file, '');
  await assert.rejects(readSecret(file), { code: 'invalid-argument' });
  await writeFile(file, Buffer.alloc(64 * 1024 + 1));
  await assert.rejects(readSecret(file), { code: 'invalid-argument' });
  await assert.rejects(readSecret(path.join(directory, 'none')), { code: 'invalid-argument' });
  await assert.rejects(readSecret('-', Readable.from([Buffer.from('\n')])), { code: 'invalid-argument' });
});

/** A terminal that types `keys`. */
const terminal = (keys: string | Buffer) => {
  const modes: boolean[] = [];
  const input = new PassThrough() as unknown as ReadStream & PassThrough;
  input.setRawMode = (mode: boolean) => {
    modes.push(mode);
    return input;
  };
  input.write(keys);
  const output = new PassThrough();
  return { input, output, modes };
};

for (const [keys, typed] of [
  ['abc\r', 'abc'],
  ['abd\x7fc\n', 'abc'],
  ['wrong\x15abc\r', 'abc'],
  ['aü\x7fbc\r', 'abc'],
  ['\x7f\x7fabc\r', 'abc'],
] as const) {
  test(`typed ${JSON.stringify(keys)}`, async () => {
    const { input, output, modes } = terminal(keys);
    assert.equal((await askSecret('Passphrase: ', input, output)).toString(), typed);
    assert.deepEqual(modes, [true, false]);
    assert.equal(output.read().toString(), 'Passphrase: \n', 'nothing typed is shown');
  });
}

test('Ctrl-C gives up, and the terminal is as before', async () => {
  const { input, output, modes } = terminal('abc\x03');
  await assert.rejects(askSecret('', input, output), { code: 'invalid-argument' });
  assert.deepEqual(modes, [true, false]);
});
