/** How `reelvault status` puts the details of a part into words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inWords } from '../../src/cli/status.ts';

test('details are words and not JSON', () => {
  assert.equal(
    inWords({ kernel: { usable: false, reason: 'no dm' }, userspace: { usable: true } }),
    '(kernel (usable no, reason no dm), userspace (usable yes))',
  );
  assert.equal(inWords(['/storage', '/mount']), '/storage, /mount');
  for (const nothing of [[], {}, null]) assert.equal(inWords(nothing), 'none');
  assert.equal(inWords(4711), '4711');
});
