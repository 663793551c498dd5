/** A few cycles of the segment writer under valgrind. The long run is `npm run leaks`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findLeaks } from './leaks.ts';

test('sessions that are opened, fed, closed and broken off lose no memory', async () => {
  const { text, lost, errors, passed } = await findLeaks(1);
  assert.deepEqual({ lost, errors, passed }, { lost: 0, errors: 0, passed: true }, text);
});
