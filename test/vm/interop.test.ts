/** luksblock and the kernel's dm-crypt must agree on every byte, in both directions. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { host } from '../command.ts';
import { containerMiB, formatArguments, type LuksForm, luksForms, sums, writeFiles } from './luks.ts';
import { openUserspace, withMount } from './userspace.ts';
import { type Disk, missingForVm, Vm } from './vm.ts';

const missing = await missingForVm();
const options = { skip: missing === undefined ? false : `needs ${missing}`, timeout: 300_000 };
const shell = (text: string): Promise<string> => host('sh', ['-c', text]);

describe('interoperation with dm-crypt', options, () => {
  let folder: string;
  let keyFile: string;
  let vm: Vm | undefined;
  const at = (name: string): string => path.join(folder, name);
  /** By form: what this side saw in the container it made. */
  const ours = new Map<string, { files: string; device: string }>();
  /** By form: what the guest saw in the container it made. */
  const theirs = new Map<string, string>();

  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'rv-interop-'));
    keyFile = at('key');
    await writeFile(keyFile, randomBytes(64), { mode: 0o400 });
    const disks: Record<string, Disk> = {};
    for (const form of luksForms) {
      const container = at(`ours-${form.name}`);
      const blank = at(`theirs-${form.name}`);
      await host('truncate', ['-s', `${containerMiB}M`, container, blank]);
      disks[`ours-${form.name}`] = { file: container, mode: 'read-only' };
      disks[`theirs-${form.name}`] = { file: blank, mode: 'write' };
      await host('cryptsetup', formatArguments(form, container, keyFile));
      const open = await openUserspace(container, keyFile, at(`block-${form.name}`));
      try {
        await host('mkfs.ext4', ['-q', open.device]);
        const files = await withMount(open.device, at('mnt'), async () => {
          await writeFiles(at('mnt'));
          return shell(sums(at('mnt')));
        });
        ours.set(form.name, { files, device: (await shell(`sha256sum < '${open.plain}'`)).trim() });
      } finally {
        await open.close();
      }
    }
    vm = await Vm.start({ disks });
    for (const form of luksForms) theirs.set(form.name, await writeInGuest(vm, form, keyFile));
  });
  after(async () => {
    await vm?.close();
    await rm(folder, { recursive: true, force: true });
  });

  for (const form of luksForms) {
    test(`${form.name}: written by luksblock, read by dm-crypt`, options, async () => {
      const { files, device } = ours.get(form.name) ?? assert.fail('the container was not made');
      const seen = await vm?.check(
        `set -e; cryptsetup open --readonly --key-file '${keyFile}' /dev/disk/ours-${form.name} ours
        sha256sum < /dev/mapper/ours; fsck.ext4 -nf /dev/mapper/ours >&2
        mkdir -p /mnt; mount -o ro /dev/mapper/ours /mnt; (${sums('/mnt')}); umount /mnt; cryptsetup close ours`,
        { timeoutMs: 120_000 },
      );
      assert.equal(seen, `${device}\n${files}`);
    });
  }

  test('a container that another program holds is refused', options, async () => {
    const { name } = luksForms[0] ?? assert.fail('no form');
    await assert.rejects(openUserspace(at(`theirs-${name}`), keyFile, at('refused')), /with 19: .*in-use/);
  });

  for (const form of luksForms) {
    test(`${form.name}: written by dm-crypt, read by luksblock`, options, async () => {
      // The machine holds a lock on its disks until it has ended.
      await vm?.close();
      const open = await openUserspace(at(`theirs-${form.name}`), keyFile, at(`block-theirs-${form.name}`));
      try {
        const device = await shell(`sha256sum < '${open.plain}'`);
        await host('fsck.ext4', ['-nf', open.device]);
        const files = await withMount(open.device, at('mnt'), () => shell(sums(at('mnt'))));
        assert.equal(`${files}${device}`, theirs.get(form.name));
      } finally {
        await open.close();
      }
    });
  }
});

/** Formats, fills and closes the guest's disk `theirs-<form>`; gives the sums of its files and of the whole plain device. */
const writeInGuest = (vm: Vm, form: LuksForm, keyFile: string): Promise<string> => {
  const disk = `/dev/disk/theirs-${form.name}`;
  return vm.check(
    `set -e; cryptsetup ${formatArguments(form, disk, keyFile).join(' ')}
    cryptsetup open --key-file '${keyFile}' ${disk} theirs
    mkfs.ext4 -q /dev/mapper/theirs; mkdir -p /mnt; mount /dev/mapper/theirs /mnt
    for size in 0 1 511 512 4095 4096 4097 1048583; do head -c $size /dev/urandom > /mnt/$size.bin; done
    (${sums('/mnt')}); umount /mnt; sha256sum < /dev/mapper/theirs; cryptsetup close theirs; sync`,
    { timeoutMs: 180_000 },
  );
};
