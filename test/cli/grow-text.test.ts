import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grownText } from '../../src/cli/volume-grow.ts';

const GiB = 1024 ** 3;

test('a grow without a change says so, and a small one of something large shows', () => {
  assert.equal(grownText({ from: 600 * 1024 ** 2, to: 600 * 1024 ** 2 }), 'has this size already: 600 MiB');
  assert.equal(grownText({ from: GiB, to: 2 * GiB }), 'grown from 1 GiB to 2 GiB');
  assert.equal(grownText({ from: 1024 * GiB, to: 1025 * GiB }), 'grown from 1 TiB to 1.001 TiB');
  assert.equal(grownText({ from: 2 ** 52, to: 2 ** 52 + 4096 }), 'grown from 4096 TiB to 4096.000000004 TiB');
});
