/** What a new container holds before its filesystem is noise, and noise may look like anything. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { filesystemOn } from '../../src/volume/filesystem/kind.ts';
import { makeFilesystem } from '../../src/volume/filesystem.ts';

const size = 320 * 1024 * 1024;

test('a filesystem is made also where another seems to be', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'reelvault-make-'));
  try {
    const device = path.join(directory, 'image');
    await writeFile(device, '');
    await truncate(device, size);
    for (const type of ['ext4', 'xfs', 'ext4'] as const) {
      await makeFilesystem(type, { device, size });
      assert.equal(await filesystemOn(device), type);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
