import { readFile, readlink } from 'node:fs/promises';
import { type Mount, parseMountinfo, readMounts } from './mountinfo.ts';

/** A mount of a filesystem at a place where it is not meant to be. */
export interface ForeignMount {
  /** A process of that namespace; null for our own, where no process is needed to keep a mount. */
  readonly pid: number | null;
  readonly path: string;
}

/** Whether an unmount of ours takes `other` along: what it hangs on is a peer of what ours hangs on (`parents`), or follows it. */
const goesAlong = (other: Mount, others: readonly Mount[], parents: readonly Mount[]): boolean => {
  const parent = others.find(({ id }) => id === other.parent);
  const groups = parents.flatMap(({ shared }) => (shared === null ? [] : [shared]));
  return groups.some((group) => parent?.shared === group || parent?.master === group);
};

/**
 * Mounts of the filesystem on `device` that keep it in use when those at `meant` have gone: a bind mount elsewhere on the host, one that
 * a container was given. Copies of ours at the same path in other namespaces are none of them: they are unmounted with ours.
 */
export const foreignMounts = async (
  device: string,
  meant: readonly string[],
  pids: readonly number[],
): Promise<ForeignMount[]> => {
  const host = await readMounts();
  const parents = host
    .filter((mount) => mount.device === device && meant.includes(mount.point))
    .flatMap((mount) => host.filter(({ id }) => id === mount.parent));
  const stray = host.filter((mount) => mount.device === device && !meant.includes(mount.point));
  const found: ForeignMount[] = stray.map(({ point }) => ({ pid: null, path: point }));
  const known = new Set([await readlink('/proc/self/ns/mnt')]);
  for (const pid of pids) {
    const namespace = await readlink(`/proc/${pid}/ns/mnt`).catch(() => '');
    if (namespace === '' || known.has(namespace)) continue;
    known.add(namespace);
    const mounts = parseMountinfo(await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => ''));
    for (const mount of mounts) {
      if (mount.device !== device || meant.includes(mount.point) || goesAlong(mount, mounts, parents)) continue;
      found.push({ pid, path: mount.point });
    }
  }
  return found;
};
