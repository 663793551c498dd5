import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { digestArea, overwriteArea } from '../../src/volume/headers/header-area.ts';

const MiB = 1024 ** 2;
const size = 48 * MiB;

/** Most bytes of buffers that were alive at one time during `work`, beside those from before. */
const peakOf = async (work: () => Promise<unknown>): Promise<number> => {
  const before = process.memoryUsage().arrayBuffers;
  let peak = 0;
  let going = true;
  const look = (): void => {
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
    if (going) setImmediate(look);
  };
  look();
  await work().finally(() => (going = false));
  look();
  return peak;
};

test('an area of any size is gone through in little memory', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'reelvault-area-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = path.join(folder, 'area');
  const handle = await open(file, 'wx');
  await handle.truncate(size);
  await handle.close();

  let digest = '';
  const reading = await peakOf(async () => (digest = await digestArea(file, size)));
  assert.equal(digest, createHash('sha256').update(Buffer.alloc(size)).digest('hex'));
  assert.ok(reading < 8 * MiB, `${reading} bytes to read ${size}`);

  const overwriting = await peakOf(() => overwriteArea(file, 0, size - 1));
  assert.ok(overwriting < 8 * MiB, `${overwriting} bytes to overwrite ${size}`);
  const written = await readFile(file);
  assert.equal(written[size - 1], 0);
  assert.ok(!written.subarray(size - 1025, size - 1).every((byte) => byte === 0));
});
