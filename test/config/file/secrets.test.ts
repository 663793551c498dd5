/** Secrets in texts, diffs and values; and the diff itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unifiedDiff } from '../../../src/config/file/diff.ts';
import {
  bothWithoutSecrets,
  valuesWithoutSecrets,
  withoutSecrets,
  withSecrets,
} from '../../../src/config/file/secrets.ts';

const before = 'webhook:\n  urls: [https://a/marked-1, https://b/marked-2]\n';
const after =
  'webhook:\n  urls: [https://b/marked-2, https://c/marked-3]\ntuning: {episodes_url: "https://d/marked-4"}\n';

test('a diff shows which secrets are others, and none of them', () => {
  const diff = unifiedDiff(...bothWithoutSecrets(before, after));
  assert.equal(
    diff,
    [
      '@@ -1,2 +1,3 @@',
      ' webhook:',
      '-  urls: ["(secret 1)", "(secret 2)"]',
      '+  urls: ["(secret 2)", "(secret 3)"]',
      '+tuning: {episodes_url: "(secret 4)"}',
    ].join('\n'),
  );
});

test('however a secret is spelt, it is not shown, and comes back', () => {
  for (const spelling of [
    'https://a/marked',
    '"https://a/marked,#x"',
    "'https://a/marked'",
    '|\n    https://a/marked\n',
    '>-\n    https://a/\n    marked\n',
    '"https://a/\\\n    marked"',
  ]) {
    const text = `tuning:\n  episodes_url: ${spelling}\n  # end\n`;
    const shown = withoutSecrets(text);
    assert.ok(!shown.includes('marked'), shown);
    assert.match(shown, /# end/);
    assert.ok(withSecrets(shown, text).includes('marked'), shown);
  }
  const values = {
    tuning: { episodes_url: 'https://marked/', writer: 'auto' },
    webhook: { urls: ['https://marked/'] },
  };
  assert.deepEqual(valuesWithoutSecrets(values), {
    tuning: { episodes_url: '(secret)', writer: 'auto' },
    webhook: { urls: ['(secret)'] },
  });
});

test('diff: nothing, all, and far apart', () => {
  assert.equal(unifiedDiff('a\nb\n', 'a\nb\n'), '');
  assert.equal(unifiedDiff('', 'a\n'), '@@ -0,0 +1 @@\n+a');
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index}`);
  const changed = lines.with(2, 'x').with(25, 'y');
  const diff = unifiedDiff(lines.join('\n'), changed.join('\n'));
  assert.deepEqual(diff.match(/^@@.*$/gm), ['@@ -1,6 +1,6 @@', '@@ -23,7 +23,7 @@']);
  const many = Array.from({ length: 60_000 }, (_, index) => `${index}`).join('\n');
  const began = performance.now();
  assert.ok(unifiedDiff(many, many.replaceAll('1', 'x')).length > 0);
  assert.ok(performance.now() - began < 2000);
});
