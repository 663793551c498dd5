import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { crc32c, readCached } from '../src/native.ts';

test('crc32c goes on over pieces', () => {
  const bytes = Buffer.from('123456789');
  assert.equal(crc32c(bytes), 0xe3069283); // the check value of CRC-32C
  assert.equal(crc32c(bytes.subarray(4), crc32c(bytes.subarray(0, 4))), 0xe3069283);
});

test('a cached read gives what the page cache holds, or nothing', () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'reelvault-cached-'));
  const file = path.join(directory, 'file');
  const bytes = Buffer.from(Array.from({ length: 20_000 }, (_, at) => at % 251));
  fs.writeFileSync(file, bytes);
  const fd = fs.openSync(file, 'r');
  const read = (length: number, position: number): Buffer | undefined => {
    const into = Buffer.alloc(length);
    const got = readCached(fd, into, position);
    return got < 0 ? undefined : into.subarray(0, got);
  };
  try {
    fs.readFileSync(file);
    // A filesystem that cannot tell never gives anything.
    if (read(1, 0) !== undefined) {
      assert.deepEqual(read(100, 5000), bytes.subarray(5000, 5100));
      assert.deepEqual(read(30_000, 0), bytes);
      assert.equal(read(10, 20_000)?.length, 0);
    }
    fs.fsyncSync(fd);
    execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
    assert.ok((read(20_000, 0) ?? bytes).equals(bytes));
  } finally {
    fs.closeSync(fd);
    fs.rmSync(directory, { recursive: true });
  }
  assert.equal(readCached(2 ** 31 - 1, Buffer.alloc(1), 0), -1);
  assert.throws(() => readCached(-1, Buffer.alloc(1), 0), TypeError);
});
