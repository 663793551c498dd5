/** A container on btrfs, which copies on write: it must not, and the loop must not fall back to the page cache. */
import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { mkdir, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { run } from '../../src/exec/run.ts';
import { createRequest, Place, size } from '../helper/harness.ts';

const quick = { timeoutMs: 60_000 };

test('a container on btrfs is not copied on write and is used with direct I/O', async () => {
  const place = await Place.make();
  const image = path.join(place.root, 'btrfs.img');
  try {
    await writeFile(image, '');
    await truncate(image, 512 * 1024 * 1024);
    await run('mkfs.btrfs', ['-q', image], quick);
    await run('mount', ['-o', 'loop', image, place.storage], quick);
    await mkdir(path.join(place.storage, 'containers'), { mode: 0o711 });
    const helper = await place.helper();
    const { result, fd } = await helper.client.call(createRequest('userspace', { open: true }));
    closeSync(fd);
    assert.equal(result.directIo, true);
    const { stdout } = await run('lsattr', [place.container('v')], quick);
    assert.match(stdout.toString(), /^\S*C\S* /);
    // Without copy on write the blocks stay where they were allocated, whatever is written.
    const extents = async (): Promise<string> => {
      await run('sync', [], quick);
      const { stdout: map } = await run('filefrag', ['-v', place.container('v')], quick);
      return [...map.toString().matchAll(/^ *\d+: +\d+\.\. *\d+: +(\d+)\.\./gm)].map(([, start]) => start).join(' ');
    };
    const before = await extents();
    await run('dd', ['if=/dev/urandom', `of=${result.mountPoint}/x`, 'bs=1M', 'count=8', 'conv=fsync'], quick);
    await run('dd', ['if=/dev/urandom', `of=${result.mountPoint}/x`, 'bs=1M', 'count=8', 'conv=fsync,notrunc'], quick);
    const starts = before.split(' ');
    assert.ok(starts.length >= 1 && starts.every((start) => /^\d+$/.test(start)), before);
    assert.equal((await extents()).split(' ')[0], starts[0]);
    assert.ok((await stat(place.container('v'))).blocks * 512 >= size);
    await helper.client.call({ verb: 'lock', name: 'v' });
    await helper.stop();
  } finally {
    await place.destroy();
  }
});
