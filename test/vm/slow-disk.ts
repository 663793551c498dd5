/** A slow disk below a volume: dm-delay needs a kernel with device-mapper. `npm run slow-disk`: too long under emulation for every run. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { host } from '../command.ts';
import { makeClip } from '../e2e/publisher.ts';
import { fetchKernel } from './kernel.ts';
import { missingForVm, Vm } from './vm.ts';

const root = path.resolve(import.meta.dirname, '../..');
const missing = await missingForVm();
const options = { skip: missing === undefined ? false : `needs ${missing}`, timeout: 1_200_000 };

test(
  'a slow disk holds its publisher back, then has what comes dropped; another volume does not notice',
  options,
  async (t) => {
    await using stack = new AsyncDisposableStack();
    const folder = await mkdtemp(path.join(os.tmpdir(), 'rv-slow-disk-'));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    const clip = await makeClip(folder);
    const file = path.join(folder, 'disk');
    await host('truncate', ['-s', '256M', file]);
    const vm = await Vm.start({ disks: { slow: { file, mode: 'write' } } });
    stack.defer(() => vm.close());
    const { root: tree, release } = await fetchKernel();
    await vm.check(`insmod '${path.join(tree, 'lib/modules', release)}/kernel/drivers/md/dm-delay.ko'`);
    const { exitCode, stdout, stderr } = await vm.run(
      `cd '${root}' && TMPDIR=/scratch NODE_COMPILE_CACHE=/scratch/node PATH="$PWD/node_modules/.bin:$PATH" \
      node test/trouble/slow-disk.ts '${clip}' "$(readlink -f /dev/disk/slow)"`,
      { timeoutMs: 900_000 },
    );
    assert.equal(exitCode, 0, `${stdout.slice(-2000)}${stderr.slice(-8000)}`);
    t.diagnostic(stdout.trim());
  },
);
