/** Flushes that are shared, left out or begun ahead of time cover every write that they answer for. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { must, temporary } from './support.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** Builds and runs a program of this folder with sources of luksblock, watched by the thread sanitizer; answers with what it prints. */
const checked = async (t: TestContext, name: string, sources: readonly string[]): Promise<string> => {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const program = path.join(await temporary(stack), name);
  await must('g++', [
    ...['-std=c++20', '-O1', '-g', '-fsanitize=thread', '-Wall', '-Wextra', '-Werror', `-I${root}/native`],
    ...[
      path.join(import.meta.dirname, `${name}.cc`),
      ...sources.map((source) => path.join(root, 'native/luksblock', source)),
    ],
    ...['-o', program, '-lpthread'],
  ]);
  return must(program, []);
};

test('a shared or omitted flush covers every write it answers for', { timeout: 300_000 }, async (t) => {
  assert.match(await checked(t, 'group-sync', ['group_sync.cc', 'write_log.cc']), /^\d+ flushes for 4000 syncs$/);
});

test('a flush is begun ahead of time only in a rhythm of syncs', { timeout: 300_000 }, async (t) => {
  assert.equal(await checked(t, 'flush-ahead', ['flush_ahead.cc']), '3 flushes foreseen');
});

test('nobody looks for long for what comes late, or where the processor is wanted', { timeout: 300_000 }, async (t) => {
  assert.equal(await checked(t, 'short-poll', []), '63 waits without a look');
});
