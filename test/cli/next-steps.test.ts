import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterLock } from '../../src/cli/next-steps.ts';
import { ReelError } from '../../src/errors.ts';

const busy = new ReelError('volume-busy', { expected: 'nobody', got: 'cat', details: { holders: [{ pid: 7 }] } });
const hintOf = (error: unknown): string => (error as ReelError).parts.hint ?? '';

test('a lock that is refused: who is in the way, and the next level after this one', () => {
  const lock = afterLock(busy, 'main', 'lock') as ReelError;
  assert.match(hintOf(lock), /`reelvault volume holders main`.*`reelvault volume lock main --drain`.*--slam`/);
  assert.deepEqual([lock.code, lock.details], ['volume-busy', busy.details]);
  const drain = hintOf(afterLock(busy, 'main', 'drain'));
  assert.match(drain, /holders main`.*--slam`/);
  assert.doesNotMatch(drain, /--drain/);
  // Its own hint says the same in the words of the REST interface.
  const hinted = new ReelError('volume-busy', { expected: 'nobody', got: 'cat', hint: 'lock it with drain' });
  assert.doesNotMatch(hintOf(afterLock(hinted, 'main', 'drain')), /lock it with drain/);
});

test('another refusal is left as it is', () => {
  const other = new ReelError('not-found', { expected: 'a volume', got: 'none' });
  assert.equal(afterLock(other, 'main', 'lock'), other);
});
