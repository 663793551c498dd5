/**
 * Debian's cloud kernel, fetched as a package and unpacked beside the tree: it is never installed, so the host's /boot and
 * its package list stay as they are. The cache is keyed by the package's version.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { host } from '../command.ts';

export interface Kernel {
  /** `uname -r` of the kernel, as 6.1.0-56-cloud-amd64. */
  readonly release: string;
  readonly image: string;
  /** Holds `lib/modules/<release>` with modules.dep. */
  readonly root: string;
}

const cache = path.resolve(import.meta.dirname, '../../.cache/vm');
const metaPackage = 'linux-image-cloud-amd64';

/** The concrete kernel package behind Debian's meta package and its version. Throws when the registry's lists lack it. */
const resolvePackage = async (): Promise<{ name: string; version: string }> => {
  const depends = await host('apt-cache', ['depends', metaPackage]);
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) throw new Error(`apt-cache names no kernel package behind ${metaPackage}: ${depends}`);
  const version = /^Version: (\S+)$/m.exec(await host('apt-cache', ['show', '--no-all-versions', name]))?.[1];
  if (version === undefined) throw new Error(`apt-cache shows no version of ${name}`);
  return { name, version };
};

const describe = async (root: string): Promise<Kernel> => {
  const [release] = await readdir(path.join(root, 'lib/modules'));
  if (release === undefined) throw new Error(`no kernel modules below ${root}`);
  return { release, image: path.join(root, `boot/vmlinuz-${release}`), root };
};

/** The newest kernel unpacked before: tests go on without a registry once they had one. */
const cached = async (): Promise<Kernel | undefined> => {
  const names = existsSync(cache) ? (await readdir(cache)).filter((name) => name.startsWith('linux-image-')) : [];
  const newest = names.sort().at(-1);
  return newest === undefined ? undefined : describe(path.join(cache, newest));
};

/** Gives the kernel, from the cache where it is there. Throws when neither the cache nor the registry has one. */
export const fetchKernel = async (): Promise<Kernel> => {
  const before = await cached();
  if (before !== undefined) return before;
  // A machine that never ran `apt-get update` has no lists; updating them is all that is changed on the host.
  const { name, version } = await resolvePackage().catch(async () => {
    await host('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', 'update'], { timeoutMs: 300_000 });
    return resolvePackage();
  });
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(path.join(cache, 'fetch-'));
  try {
    await host('apt-get', ['-q', 'download', `${name}=${version}`], { cwd: work, timeoutMs: 300_000 });
    const archive = (await readdir(work)).find((file) => file.endsWith('.deb'));
    if (archive === undefined) throw new Error(`apt-get download left no package of ${name}`);
    const tree = path.join(work, 'tree');
    await host('dpkg-deb', ['-x', path.join(work, archive), tree], { timeoutMs: 300_000 });
    const kernel = await describe(tree);
    await host('depmod', ['-b', tree, kernel.release]);
    const target = path.join(cache, `${name}_${version}`);
    // Two test files may fetch at the same time; the first rename wins and the other's tree is the same.
    await rename(tree, target).catch((error: unknown) => {
      if (!existsSync(target)) throw error;
    });
    return await describe(target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
};
