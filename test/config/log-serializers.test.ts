import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logSerializers } from '../../src/config/log-serializers.ts';
import { ReelError, toReelError } from '../../src/errors.ts';

const inLog = (error: Error): string => JSON.stringify(logSerializers.err(error));

test('a foreseen error: code, message, details, and its causes in words, without a stack', () => {
  const cause = new Error('read failed', { cause: new Error('EIO') });
  const error = new ReelError('io-error', {
    expected: 'a block',
    got: 'none',
    cause,
    details: { device: '/dev/loop3' },
  });
  assert.deepEqual(logSerializers.err(error), {
    code: 'io-error',
    message: 'Expected a block, got none',
    cause: 'read failed: EIO',
    details: { device: '/dev/loop3' },
  });
  assert.deepEqual(logSerializers.err(new ReelError('not-found', { expected: 'a', got: 'b' })), {
    code: 'not-found',
    message: 'Expected a, got b',
  });
});

test('a defect: the stack of where it was thrown, also below an error of ours', () => {
  assert.match(inLog(new TypeError('no such thing')), /no such thing.*log-serializers\.test\.ts/);
  assert.match(
    inLog(toReelError(new TypeError('no such thing'))),
    /caused by.*no such thing.*log-serializers\.test\.ts/,
  );
});
