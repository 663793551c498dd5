/** What `npm run demo` leaves behind is standard: plain cryptsetup opens it with its key file, and its reels are the ones reported. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { host } from '../command.ts';
import { removeStorage } from '../e2e/storage.ts';
import { missingForVm, Vm } from './vm.ts';

interface DemoResult {
  readonly volume: { container: string; uuid: string; type: string; cipher: string; engine: string; keyFile: string };
  readonly stream: string;
  readonly seconds: number;
  readonly segments: number;
  readonly bytes: number;
  readonly playlist: string;
  readonly reels: readonly { path: string; bytes: number; sha256: string; segments: number }[];
}

const root = path.resolve(import.meta.dirname, '../..');
const missing = await missingForVm();
const options = { skip: missing === undefined ? false : `needs ${missing}`, timeout: 600_000 };

test('the demo’s container opens with plain cryptsetup and holds the same reels', options, async () => {
  await using resources = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(os.tmpdir(), 'rv-demo-'));
  resources.defer(async () => {
    await removeStorage(folder);
    await rm(folder, { recursive: true, force: true });
  });
  const kept = path.join(folder, 'kept');
  const demo = [path.join(root, 'src/demo/main.ts'), '--once', '--json', '--seconds', '6', '--keep', kept];
  const stdout = await host(process.execPath, demo, { timeoutMs: 180_000 });
  const result = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as DemoResult;
  const { volume, reels } = result;
  assert.ok(volume.container.startsWith(`${kept}/`) && volume.keyFile.startsWith(`${kept}/`), JSON.stringify(volume));
  assert.ok(result.seconds >= 5.5 && result.segments >= 3, `expected 6 s in several segments, got ${stdout}`);
  assert.ok(reels.length > 0);

  const vm = await Vm.start({ disks: { container: { file: volume.container, mode: 'read-only' } } });
  resources.defer(() => vm.close());
  const device = '/dev/disk/container';
  assert.equal((await vm.check(`cryptsetup luksUUID ${device}`)).trim(), volume.uuid);
  await vm.check(
    `set -e; cryptsetup open --readonly --key-file '${volume.keyFile}' ${device} plain
    dmsetup table plain | grep -q ' crypt ${volume.cipher} '
    fsck.ext4 -nf /dev/mapper/plain; mkdir -p /mnt; mount -o ro /dev/mapper/plain /mnt`,
    { timeoutMs: 180_000 },
  );
  const sums = await vm.check(`cd /mnt && sha256sum ${reels.map((reel) => `'${reel.path}'`).join(' ')}`);
  assert.equal(sums, reels.map((reel) => `${reel.sha256}  ${reel.path}\n`).join(''));
  const found = await vm.check("cd /mnt && find dvr -name '*.ts' | sort");
  assert.deepEqual(
    found.trim().split('\n'),
    reels.map((reel) => reel.path),
  );
});
