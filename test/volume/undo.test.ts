import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReelError } from '../../src/errors.ts';
import { withUndo } from '../../src/volume/undo.ts';

const refused = new ReelError('wrong-key', { expected: 'a key', got: 'another', hint: 'try again' });

test('what was done is undone, newest first, and the error goes on unchanged', async () => {
  const undone: string[] = [];
  const work = withUndo(async (undo) => {
    for (const step of ['container', 'loop', 'mount']) undo.push(step, async () => undone.push(step));
    throw refused;
  });
  await assert.rejects(work, (error) => error === refused);
  assert.deepEqual(undone, ['mount', 'loop', 'container']);
});

test('nothing is undone after success', async () => {
  const undone: string[] = [];
  const result = await withUndo(async (undo) => {
    undo.push('loop', async () => undone.push('loop'));
    return 7;
  });
  assert.deepEqual([result, undone], [7, []]);
});

test('a step that cannot be undone is named, and the older ones are undone all the same', async () => {
  const undone: string[] = [];
  const work = withUndo(async (undo) => {
    undo.push('container', async () => undone.push('container'));
    undo.push('loop', () => Promise.reject(new Error('busy')));
    undo.push('mount', async () => undone.push('mount'));
    throw refused;
  });
  await assert.rejects(work, (error: ReelError) => {
    assert.equal(error.code, 'wrong-key');
    assert.equal(error.cause, refused);
    assert.match(error.message, /try again; left behind: loop/);
    const [failure, ...more] = error.details.undoFailures as { step: string; error: string }[];
    assert.equal(failure?.step, 'loop');
    assert.match(failure?.error ?? '', /busy/);
    assert.deepEqual(more, []);
    return true;
  });
  assert.deepEqual(undone, ['mount', 'container']);
});
