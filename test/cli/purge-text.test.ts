import assert from 'node:assert/strict';
import { test } from 'node:test';
import { purgeText } from '../../src/cli/purge-text.ts';

const report = { volume: 'main', dryRun: true, reels: 0, bytes: 0, short: 0, takesMost: false, streams: [], list: [] };

test('a purge is told in words: what, what not, and what it would need', () => {
  assert.equal(purgeText(report), 'would delete 0 reels, 0 B');
  const [first, short, most, head, row] = purgeText({
    ...report,
    reels: 3,
    bytes: 3 * 2 ** 30,
    short: 2 ** 20,
    takesMost: true,
    streams: [{ stream: 'cam', reels: 3, bytes: 3 * 2 ** 30, from: 0, to: 10_800, rules: { age: 2, free: 1 } }],
  }).split('\n');
  assert.equal(first, 'would delete 3 reels, 3 GiB');
  assert.match(short ?? '', /1 MiB less/);
  assert.match(most ?? '', /--allow-most/);
  assert.match(head ?? '', /^STREAM/);
  assert.match(row ?? '', /cam +3 +3 GiB +1970-01-01T00:00:00Z +1970-01-01T03:00:00Z +age 2, free 1/);
  assert.equal(purgeText({ ...report, dryRun: false, takesMost: true }), 'deleted 0 reels, 0 B');
});
