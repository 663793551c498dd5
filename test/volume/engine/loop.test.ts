/** Loop devices over files whose filesystem has no direct I/O. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { run } from '../../../src/exec/run.ts';
import { attachedLoops, attachLoop, detachLoop } from '../../../src/volume/engine/loop.ts';

const quick = { timeoutMs: 30_000 };

test('a file that cannot be opened for direct I/O is attached without, and the answer says so', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'reelvault-loop-'));
  t.after(async () => {
    await run('umount', [directory], { ...quick, okCodes: [0, 32] });
    await rm(directory, { recursive: true });
  });
  await run('mount', ['-t', 'ramfs', 'ramfs', directory], quick);
  const file = path.join(directory, 'file');
  await writeFile(file, '');
  await truncate(file, 1 << 20);
  for (const readOnly of [false, true]) {
    const loop = await attachLoop(file, { sectorSize: 4096, readOnly });
    try {
      assert.deepEqual(
        { ...loop, path: '', device: '' },
        { path: '', device: '', backingFile: file, directIo: false, readOnly, sectorSize: 4096 },
      );
    } finally {
      await detachLoop(loop);
    }
  }
  const other = attachLoop(path.join(directory, 'none'), { sectorSize: 4096 });
  await assert.rejects(other, { code: 'command-failed', message: /none/ });
  assert.deepEqual(
    (await attachedLoops()).filter(({ backingFile }) => backingFile.startsWith(directory)),
    [],
  );
});
