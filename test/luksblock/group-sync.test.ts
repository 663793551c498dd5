/** Flushes that are shared or left out cover every write that they answer for. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { must, temporary } from './support.ts';

const root = path.resolve(import.meta.dirname, '../..');

test('a shared or omitted flush covers every write it answers for', { timeout: 300_000 }, async (t) => {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const program = path.join(await temporary(stack), 'group-sync');
  await must('g++', [
    ...['-std=c++20', '-O1', '-g', '-fsanitize=thread', '-Wall', '-Wextra', '-Werror', `-I${root}/native`],
    ...[path.join(import.meta.dirname, 'group-sync.cc'), path.join(root, 'native/luksblock/group_sync.cc')],
    ...['-o', program, '-lpthread'],
  ]);
  assert.match(await must(program, []), /^\d+ flushes for 4000 syncs$/);
});
