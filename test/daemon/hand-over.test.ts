/** What the supervisor gives the daemon on standard input. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { handOver, takeOver } from '../../src/daemon/hand-over.ts';
import type { ReelError } from '../../src/errors.ts';

const source = (file: string): string => JSON.stringify(path.resolve(import.meta.dirname, '../../src', file));

test('it arrives in whatever pieces it comes, and the pieces are zeroed', async () => {
  const files = { secrets: Buffer.from('first line\nsecond line\n'), ca: '-----BEGIN…\n' };
  for (const size of [1, 7, 10_000]) {
    const frame = handOver(files);
    const input = new PassThrough();
    const taken = takeOver(input);
    const pieces: Buffer[] = [];
    for (let at = 0; at < frame.length; at += size) pieces.push(Buffer.from(frame.subarray(at, at + size)));
    for (const piece of pieces) input.write(piece);
    assert.deepEqual(await taken, files);
    assert.ok(pieces.every((piece) => piece.every((byte) => byte === 0)));
  }
  const without = new PassThrough();
  without.write(handOver({ ...files, ca: null }));
  assert.equal((await takeOver(without)).ca, null);
});

test('an input that ends before, or holds something else, is refused', async () => {
  const whole = handOver({ secrets: Buffer.from('0123456789abcdef'), ca: null });
  for (const [bytes, code] of [
    [Buffer.alloc(0), 'config-invalid'],
    [whole.subarray(0, -1), 'config-invalid'],
    [Buffer.concat([whole, Buffer.from('x')]), 'helper-protocol'],
    [Buffer.alloc(100, 0xff), 'helper-protocol'],
  ] as const) {
    const input = new PassThrough();
    input.end(Buffer.from(bytes));
    await assert.rejects(takeOver(input), (error: ReelError) => error.code === code);
  }
});

test('a daemon that has taken it still sees that its supervisor is gone', async () => {
  const script = `
    import { takeOver } from ${source('daemon/hand-over.ts')};
    import { onSupervisorGone } from ${source('exec/supervision.ts')};
    const { secrets } = await takeOver(process.stdin);
    onSupervisorGone(() => process.exit(7));
    console.log(secrets.toString());`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const said = once(child.stdout, 'data');
  child.stdin.write(handOver({ secrets: Buffer.from('0123456789abcdef'), ca: null }));
  assert.equal(String((await said)[0]).trim(), '0123456789abcdef');
  const ended = once(child, 'close');
  const rest = text(child.stdout);
  child.stdin.end();
  assert.deepEqual(await ended, [7, null]);
  assert.equal(await rest, '');
});
