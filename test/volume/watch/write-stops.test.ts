/** An ext4 that stopped writing where the kernel shows that in the count of its errors only. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../../src/exec/run.ts';
import { deviceName, filesystemErrors } from '../../../src/volume/kernel-facts.ts';
import { mountAt, readMounts } from '../../../src/volume/mountinfo.ts';
import { WriteStops } from '../../../src/volume/watch/write-stops.ts';

const quick = { timeoutMs: 30_000 };

test('an error that was counted since the mount is a reason, one from before it is none', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'reelvault-stops-'));
  const [image, point] = ['image', 'mount'].map((name) => path.join(directory, name)) as [string, string];
  t.after(async () => {
    await run('umount', [point], { ...quick, okCodes: [0, 32] });
    await rm(directory, { recursive: true });
  });
  await mkdir(point);
  await writeFile(image, '');
  await truncate(image, 16 << 20);
  await run('mke2fs', ['-q', '-t', 'ext4', '-F', image], quick);
  // It goes on after errors, so that no kernel shows them in another way.
  await run('mount', ['-o', 'loop,errors=continue', image, point], quick);
  const mounted = mountAt(await readMounts(), point) ?? assert.fail('not mounted');
  const stopping = { ...mounted, superOptions: ['rw', 'errors=remount-ro'] };
  const stops = new WriteStops();
  stops.mounted(stopping);
  assert.equal(stops.reason(stopping), undefined);
  const device = deviceName(mounted.device) ?? '';
  await writeFile(`/sys/fs/ext4/${device}/trigger_fs_error`, 'a test');
  // the kernel counts it a moment later
  while (filesystemErrors(device)?.count === 0) await sleep(5);
  assert.match(stops.reason(stopping) ?? '', /errors_count/);
  assert.equal(stops.reason(mounted), undefined);
  assert.match(new WriteStops().reason(stopping) ?? '', /errors_count/);
  stops.mounted(stopping);
  assert.equal(stops.reason(stopping), undefined);
  assert.match(stops.reason({ ...stopping, superOptions: ['ro'] }) ?? '', /read-only/);
});
