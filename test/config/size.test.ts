import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSize, sizeText } from '../../src/config/size.ts';

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

test('errors tell a size to the byte, and readable; what is rounded says so', () => {
  const cases: [number, string][] = [
    [10 * 2 ** 30, '10737418240 bytes (10 GiB)'],
    [1.5 * 2 ** 40, '1649267441664 bytes (1.5 TiB)'],
    [2 ** 28 - 4096, '268431360 bytes (about 256 MiB)'],
    [2 ** 53, '9007199254740992 bytes (8192 TiB)'],
    [512, '512 bytes'],
    [0, '0 bytes'],
  ];
  for (const [bytes, text] of cases) assert.equal(sizeText(bytes), text);
});
