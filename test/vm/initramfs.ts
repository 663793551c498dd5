/** The virtual machine's first filesystem: static busybox, the kernel modules in load order, the init script. */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { host } from '../command.ts';
import type { Kernel } from './kernel.ts';

/** What the guest needs beyond the built-in drivers; dependencies are added from modules.dep. */
const wanted = [
  ...['virtio_pci', 'virtio_blk', 'virtio_console', 'virtio_rng', 'virtiofs', 'overlay', 'loop', 'fuse'],
  'xfs',
  ...['dm_mod', 'dm_crypt', 'xts', 'aes_generic', 'aesni_intel', 'ecb', 'algif_skcipher', 'algif_hash'],
  // Ciphers of containers that others made.
  ...['cbc', 'essiv', 'serpent_generic', 'dm_integrity', 'authenc'],
];

const moduleName = (file: string): string =>
  path
    .basename(file)
    .replace(/\.ko(\.(xz|zst|gz))?$/, '')
    .replaceAll('-', '_');

/** Module files in an order in which each can be inserted. Throws for one that the kernel neither has nor contains. */
const loadOrder = async (kernel: Kernel): Promise<string[]> => {
  const base = path.join(kernel.root, 'lib/modules', kernel.release);
  const needs = new Map<string, string[]>();
  for (const line of (await readFile(path.join(base, 'modules.dep'), 'utf8')).split('\n').filter(Boolean)) {
    const [file, rest] = line.split(':') as [string, string];
    needs.set(file, rest.split(' ').filter(Boolean));
  }
  const fileOf = new Map([...needs.keys()].map((file) => [moduleName(file), file]));
  const builtIn = (await readFile(path.join(base, 'modules.builtin'), 'utf8')).split('\n').map(moduleName);
  const order = new Set<string>();
  for (const name of wanted) {
    const file = fileOf.get(name);
    if (file === undefined && builtIn.includes(name)) continue;
    if (file === undefined) throw new Error(`kernel ${kernel.release} has no module ${name}`);
    // modules.dep names dependencies nearest first; the farthest must go in first.
    for (const each of [...(needs.get(file) ?? [])].reverse()) order.add(each);
    order.add(file);
  }
  return [...order].map((file) => path.join(base, file));
};

/** Writes the compressed cpio archive to `target`. */
export const buildInitramfs = async (kernel: Kernel, target: string): Promise<void> => {
  const root = await mkdtemp(path.join(os.tmpdir(), 'rv-initramfs-'));
  try {
    for (const folder of ['bin', 'modules', 'proc', 'sys', 'dev', 'lower', 'upper', 'root'])
      await mkdir(path.join(root, folder));
    await copyFile('/bin/busybox', path.join(root, 'bin/busybox'));
    const order = await loadOrder(kernel);
    for (const file of order) await copyFile(file, path.join(root, 'modules', path.basename(file)));
    for (const file of order.filter((each) => each.endsWith('.xz')))
      await host('xz', ['-d', path.join(root, 'modules', path.basename(file))]);
    const names = order.map((file) => path.basename(file).replace(/\.xz$/, ''));
    await writeFile(path.join(root, 'modules/order'), `${names.join('\n')}\n`);
    await copyFile(path.join(import.meta.dirname, 'guest-init.sh'), path.join(root, 'init'));
    await copyFile(path.join(import.meta.dirname, 'guest-agent.sh'), path.join(root, 'agent'));
    await host(
      'sh',
      ['-c', 'chmod 755 init bin/busybox && find . | cpio -o -H newc --quiet | gzip -1 > "$0"', target],
      {
        cwd: root,
      },
    );
  } finally {
    await rm(root, { recursive: true, force: true });
  }
};
