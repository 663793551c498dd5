import assert from 'node:assert/strict';
import { open, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { throwStorageFailure, toReelError } from '../src/errors.ts';

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => assert.fail('Expected a failure'),
    (error: unknown) => error,
  );

test('a full storage is no defect: the error says so and keeps its cause', async () => {
  const cause = await failureOf(writeFile('/dev/full', 'x'));
  const error = toReelError(cause);
  assert.equal(error.code, 'no-space');
  assert.equal(error.cause, cause);
  assert.deepEqual(error.details, { errno: 'ENOSPC', syscall: 'write' });
  assert.match(error.message, /^Expected success of write, got ENOSPC: no space left on device, write; make space/);
  assert.throws(() => throwStorageFailure(cause), { code: 'no-space' });
});

test('an I/O error names the path', async () => {
  // the memory of a process has nothing at its start
  const memory = await open('/proc/self/mem', 'r');
  const cause = await failureOf(memory.read(Buffer.alloc(1), 0, 1, 0)).finally(() => memory.close());
  assert.equal(toReelError(cause).code, 'io-error');
  const named = Object.assign(new Error('EIO: i/o error, open'), { code: 'EIO', syscall: 'open', path: '/disk/file' });
  assert.equal(toReelError(named).parts.expected, 'success of open on /disk/file');
});

test('what is not of the storage stays a defect, and nothing is rethrown', async () => {
  const cause = await failureOf(open('/nowhere/at/all'));
  assert.equal(toReelError(cause).code, 'internal');
  throwStorageFailure(cause);
  throwStorageFailure('no error at all');
});
