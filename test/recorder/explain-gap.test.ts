import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainGap } from '../../src/recorder/explain-gap.ts';

const cause = (reason: 'ordered-off' | 'locked' | 'full', from: number, to: number) => ({ reason, from, to });

test('what a gap is told with', () => {
  const from = 1_000_000;
  const to = 2_000_000;
  assert.deepEqual(explainGap(from, to, []), []);
  assert.deepEqual(explainGap(from, to, [cause('locked', 0, from), cause('full', to, to + 5)]), [], 'outside of it');
  assert.deepEqual(explainGap(from, to, [cause('locked', 0, to + 5)]), ['locked']);
  assert.deepEqual(explainGap(from, to, [cause('locked', from + 2000, to - 2000)]), ['locked'], 'a moment is no loss');
  assert.deepEqual(explainGap(from, to, [cause('locked', from + 5000, to)]), ['locked', 'unexplained']);
  assert.deepEqual(explainGap(from, to, [cause('locked', from, to - 5000)]), ['locked', 'unexplained']);
  const parted = [cause('full', 1_600_000, to), cause('locked', from, 1_500_000)];
  assert.deepEqual(explainGap(from, to, parted), ['locked', 'full', 'unexplained']);
  assert.deepEqual(explainGap(from, to, [...parted, cause('ordered-off', 1_400_000, 1_600_000)]), [
    'locked',
    'ordered-off',
    'full',
  ]);
});
