import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '../src/native.ts';

test('crc32c goes on over pieces', () => {
  const bytes = Buffer.from('123456789');
  assert.equal(crc32c(bytes), 0xe3069283); // the check value of CRC-32C
  assert.equal(crc32c(bytes.subarray(4), crc32c(bytes.subarray(0, 4))), 0xe3069283);
});
