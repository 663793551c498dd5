import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import type { ReadStream } from 'node:tty';
import { currentKey, explainLineEnd } from '../../src/cli/current-key.ts';
import { askSecret, lineEndOf, readSecret } from '../../src/cli/secret.ts';
import { ReelError } from '../../src/errors.ts';

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

test('a wrong key that came with a newline: the hint says whether that was taken along, and nothing else of the key', async (t) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'reelvault-cli-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = path.join(directory, 'key');
  const wrong = new ReelError('wrong-key', { expected: 'a key', got: 'another', hint: 'try again' });
  const hint = (): string => (explainLineEnd(wrong) as ReelError).parts.hint ?? '';
  await writeFile(file, 'secretword');
  await currentKey({ passphraseFile: file });
  assert.equal(explainLineEnd(wrong), wrong, 'nothing to say of a key without one');
  await writeFile(file, 'secretword\n');
  const secret = await currentKey({ passphraseFile: file });
  assert.equal(secret?.at(-1), 10);
  secret?.fill(0);
  assert.match(
    hint(),
    /^try again; .*key ends in a newline, which was taken as a part of the key; `--passphrase-file - < /,
  );
  assert.doesNotMatch(hint(), /secretword/);
  const other = new ReelError('not-found', { expected: 'a volume', got: 'none' });
  assert.equal(explainLineEnd(other), other);
  const typed = await readSecret('-', Readable.from([Buffer.from('secretword\n')]));
  assert.match(lineEndOf(typed) ?? '', /^standard input ended in a newline, which was left out/);
  assert.equal(lineEndOf(await readSecret('-', Readable.from([Buffer.from('secretword')]))), undefined);
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
