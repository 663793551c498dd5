import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureText } from '../../src/cli/failure-text.ts';
import { volumeNote } from '../../src/cli/volume-list.ts';
import { volumeFacts } from '../../src/cli/volume-show.ts';
import { ReelError } from '../../src/errors.ts';
import type { VolumeView } from '../../src/http/volumes.ts';

const moved = new ReelError('container-changed', {
  expected: 'the open container at /vol/main.luks',
  got: 'it at /vol/elsewhere.luks',
  hint: 'put it back',
});
const failure = { error: moved.toJSON(), nextStep: 'put it back' };
const told =
  'container-changed: expected the open container at /vol/main.luks, got it at /vol/elsewhere.luks; next: put it back';

test('a failure is told with its code, what was got, and the next step once', () => {
  assert.equal(failureText(failure), told);
  const lines = new ReelError('command-failed', { expected: 'success', got: 'two\nlines' });
  assert.equal(
    failureText({ error: lines.toJSON(), nextStep: 'look' }),
    'command-failed: expected success, got two lines; next: look',
  );
});

test('list and show tell it so', () => {
  const view = {
    name: 'main',
    state: 'failed',
    failure,
    header: null,
    growing: null,
    conditions: [],
  } as unknown as VolumeView;
  assert.equal(volumeNote(view), told);
  assert.ok(volumeFacts(view).includes(`failure: ${told}`));
});
