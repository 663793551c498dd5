/** A grow that does not reach the block plane: who is to blame decides what an admin does. Files stand in for the FUSE directory. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { ReelError } from '../../../src/errors.ts';
import { Luks } from '../../../src/luks/luks.ts';
import { UserspaceEngine } from '../../../src/volume/engine/userspace-engine.ts';

const uuid = 'a-container';

test('what failed to tell a block plane of the new size keeps its own error; a plane that refuses, or is silent, asks for a lock', async (t) => {
  const blocks = await mkdtemp(path.join(tmpdir(), 'reelvault-blocks-'));
  t.after(() => rm(blocks, { recursive: true }));
  const engine = new UserspaceEngine({ program: '/nowhere', blocks, luks: new Luks() });
  const container = {
    path: '/nowhere',
    size: 0,
    allocated: 0,
    dev: 0,
    ino: 0,
    block: null,
    type: 'luks2',
    uuid,
  } as const;
  const plane = { pid: 1, uuid, sectorSize: 512 };
  const growing = (): Promise<void> => engine.grow(container, () => {});
  // what `tee` cannot write to
  await mkdir(path.join(blocks, uuid, 'control'), { recursive: true });
  const status = path.join(blocks, uuid, 'status');
  await writeFile(status, JSON.stringify(plane));
  await assert.rejects(growing(), { code: 'command-failed' });
  await writeFile(status, JSON.stringify({ ...plane, refused: { grow: 'a fixed payload' } }));
  await assert.rejects(growing(), (error: ReelError) => {
    assert.deepEqual([error.code, error.parts.got], ['volume-state', 'a fixed payload']);
    return true;
  });
  await rm(status);
  await assert.rejects(growing(), { code: 'volume-state' });
});
