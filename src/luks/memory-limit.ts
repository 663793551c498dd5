/**
 * How much memory this process may use. cryptsetup sizes Argon2 by the machine's RAM and does not see the cgroup's limit; in a
 * container of 512 MiB it is then killed by the kernel instead of refused.
 */
import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import path from 'node:path';

const readText = async (file: string): Promise<string> => {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return ''; // no cgroups here, or none of this version: no limit from there
  }
};

interface Hierarchy {
  /** Where the hierarchy is mounted. */
  readonly mount: string;
  readonly file: 'memory.max' | 'memory.limit_in_bytes';
  /** Matches this hierarchy's line in /proc/self/cgroup, the path in group 1. */
  readonly own: RegExp;
}

const hierarchies = (mountinfo: string): Hierarchy[] =>
  mountinfo.split('\n').flatMap((line): Hierarchy[] => {
    const [before = '', after = ''] = line.split(' - ');
    const mount = before.split(' ')[4] ?? '';
    const [type, , superOptions = ''] = after.split(' ');
    if (type === 'cgroup2') return [{ mount, file: 'memory.max', own: /^0::(.*)$/m }];
    const memory = type === 'cgroup' && superOptions.split(',').includes('memory');
    return memory ? [{ mount, file: 'memory.limit_in_bytes', own: /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m }] : [];
  });

/** The group and all its ancestors; in a container without its own cgroup namespace only the last of them exist. */
const ancestors = (group: string): string[] => {
  const parts = group.split('/').filter((part) => part !== '' && part !== '..');
  return parts.map((_, index) => parts.slice(0, parts.length - index).join('/')).concat('');
};

/** The smallest memory limit of this process's cgroups (v1 and v2) in bytes, or null without one. `root` is for tests. */
export const cgroupMemoryLimit = async (root = '/'): Promise<number | null> => {
  const own = await readText(path.join(root, 'proc/self/cgroup'));
  const limits: number[] = [];
  for (const hierarchy of hierarchies(await readText(path.join(root, 'proc/self/mountinfo')))) {
    const group = hierarchy.own.exec(own)?.[1];
    if (group === undefined) continue;
    for (const directory of ancestors(group)) {
      const value = (await readText(path.join(root, hierarchy.mount, directory, hierarchy.file))).trim();
      if (/^\d+$/.test(value)) limits.push(Number(value));
    }
  }
  // v1 says "no limit" with a number near 2^63
  const least = Math.min(...limits);
  return least < 2 ** 60 ? least : null;
};

/** Bytes that this process may use: the machine's memory or the cgroup's limit, whichever is less. */
export const usableMemory = async (): Promise<number> => Math.min(totalmem(), (await cgroupMemoryLimit()) ?? Infinity);
