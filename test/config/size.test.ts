import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSize } from '../../src/config/size.ts';

test('bytes, units of 1024 with and without their B, and parts of one', () => {
  const cases: [string, number][] = [
    ['1048576', 1_048_576],
    ['500M', 500 * 2 ** 20],
    ['10g', 10 * 2 ** 30],
    ['1.5TiB', 1.5 * 2 ** 40],
    ['2TB', 2 * 2 ** 40],
    ['0.1K', 103],
    ['1P', 2 ** 50],
  ];
  for (const [text, bytes] of cases) assert.equal(parseSize(text), bytes, text);
});

test('anything else is refused', () => {
  for (const text of ['', 'G', '1.5', '-1', '1 G', '1e9', '0x10', '10X', '1..5G', '9'.repeat(20), '10GG', '10\nG'])
    assert.throws(() => parseSize(text), { code: 'invalid-argument' }, text);
});
