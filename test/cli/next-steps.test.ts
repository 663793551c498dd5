import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterLock } from '../../src/cli/next-steps.ts';
import { lockedText } from '../../src/cli/volume-lock.ts';
import { ReelError } from '../../src/errors.ts';
import type { LockedView } from '../../src/http/volume-lock.ts';

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

test('a lock that ended recordings names them', () => {
  const act = { act: 'term', target: '/mount/main/x', pid: 7, command: 'cat', unit: null };
  const locked = { name: 'main', state: 'locked', recordings: ['cam1', 'cam2'], acts: [act] } as unknown as LockedView;
  const lines = ['main: locked', '  ended the recording of cam1', '  ended the recording of cam2'];
  assert.deepEqual(lockedText(locked).split('\n'), [...lines, '  term 7 cat (/mount/main/x)']);
});
