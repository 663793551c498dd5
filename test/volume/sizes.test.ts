import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerBytes } from '../../src/volume/create/options.ts';

const MiB = 2 ** 20;

test('a container is larger than what is asked for by its header, in whole sectors', () => {
  assert.equal(containerBytes(64 * MiB, 'luks2'), 80 * MiB);
  assert.equal(containerBytes(64 * MiB, 'luks1'), 66 * MiB);
  assert.equal(containerBytes(64 * MiB - 4095, 'luks2'), 80 * MiB);
  assert.equal(containerBytes(64 * MiB + 1, 'luks2'), 80 * MiB + 4096);
});

test('too small and too large are told in the size that was asked for', () => {
  const least = {
    code: 'invalid-argument',
    message:
      'Expected a net size from 33554432 bytes (32 MiB) to 2251799796908032 bytes (about 2048 TiB), got 1048576 bytes (1 MiB)',
  };
  assert.throws(() => containerBytes(MiB, 'luks2'), least);
  assert.equal(containerBytes(32 * MiB, 'luks2'), 48 * MiB);
  assert.throws(() => containerBytes(32 * MiB - 4096, 'luks2'), { code: 'invalid-argument' });
  assert.throws(() => containerBytes(2 ** 51, 'luks2'), { code: 'invalid-argument' });
});
