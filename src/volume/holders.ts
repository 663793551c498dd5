import { open, readdir, readFile, readlink } from 'node:fs/promises';
import { attachedLoops } from './engine/loop.ts';
import { foreignMounts } from './foreign-mounts.ts';
import { parseMountinfo, readMounts } from './mountinfo.ts';
import { factsOf, type ProcessFacts } from './process-facts.ts';

/** What keeps a filesystem in use: a process, or the kernel on behalf of none (a loop device, a swap file, a mount of the host). */
export interface Holder extends ProcessFacts {
  /** Null where no process is behind it. */
  readonly pid: number | null;
  readonly how: 'file' | 'directory' | 'root' | 'program' | 'mapping' | 'namespace' | 'mount' | 'loop' | 'swap';
  /** As the process sees it, where it has one. */
  readonly path: string;
}

/** `nginx: worker (pid 17, nginx.service, /mount/main/x)` */
export const describeHolder = ({ command, pid, unit, path }: Holder): string => {
  const facts = [pid === null ? null : `pid ${pid}`, unit, path].filter((fact) => fact !== null && fact !== '');
  return `${command} (${facts.join(', ')})`;
};

/** Answers stay small: whoever wants to lock needs the first few, not ten thousand. */
const mostHolders = 100;

const orElse = async <T>(work: Promise<T>, otherwise: T): Promise<T> => {
  try {
    return await work;
  } catch {
    // the process ended between two reads, or is a kernel thread
    return otherwise;
  }
};

/** `open(2)`; Node has no name for it. What it opens is not touched: no filesystem can hang here. */
const O_PATH = 0o10000000;

const mountIdIn = (fdinfo: string): number | undefined => {
  const id = /^mnt_id:\s*(\d+)$/m.exec(fdinfo)?.[1];
  return id === undefined ? undefined : Number(id);
};

/** The fdinfo of what a link of /proc leads to. The link's text would be of no use: it depends on the root directory of whoever reads it. */
const fdinfoOf = async (link: string): Promise<string> => {
  const handle = await open(link, O_PATH);
  try {
    return await readFile(`/proc/self/fdinfo/${handle.fd}`, 'utf8');
  } finally {
    await handle.close();
  }
};

const mountIdOf = async (link: string): Promise<number | undefined> => mountIdIn(await fdinfoOf(link));

/** Equal for processes with the same root directory; undefined where the kernel does not tell the inode (before Linux 5.14). */
const rootOf = async (pid: number): Promise<string | undefined> => {
  const fdinfo = await fdinfoOf(`/proc/${pid}/root`);
  const inode = /^ino:\s*(\d+)$/m.exec(fdinfo)?.[1];
  return inode === undefined ? undefined : `${mountIdIn(fdinfo)}:${inode}`;
};

const within = (path: string, points: readonly string[]): boolean =>
  points.some((point) => path === point || path.startsWith(point === '/' ? '/' : `${point}/`));

const linkTargets = { directory: 'cwd', root: 'root', program: 'exe' } as const;

/** `/proc/<pid>/maps` names devices as hexadecimal `major:minor`. */
const mapsDevice = (device: string): string => {
  const [major = '0', minor = '0'] = device.split(':').map((part) => Number(part).toString(16).padStart(2, '0'));
  return `${major}:${minor}`;
};

class Scan {
  readonly #device: string;
  readonly #mapped: string;
  readonly #point: string | undefined;

  constructor(device: string, point: string | undefined) {
    this.#device = device;
    this.#mapped = mapsDevice(device);
    this.#point = point;
  }

  /** Ids of the filesystem's mounts, of every namespace and every root directory of `pids`: each process shows those beneath its own. */
  async mountIds(pids: readonly number[]): Promise<ReadonlySet<number>> {
    const ids = new Set<number>();
    const known = new Set<string>();
    for (const pid of pids) {
      const [namespace, root] = await Promise.all([
        orElse(readlink(`/proc/${pid}/ns/mnt`), undefined),
        orElse(rootOf(pid), undefined),
      ]);
      const view = `${namespace ?? pid} ${root ?? pid}`;
      if (known.has(view)) continue;
      known.add(view);
      for (const mount of parseMountinfo(await orElse(readFile(`/proc/${pid}/mountinfo`, 'utf8'), ''))) {
        if (mount.device === this.#device && (this.#point ?? mount.point) === mount.point) ids.add(mount.id);
      }
    }
    return ids;
  }

  /** By mount id only: a stat of somebody's file could hang on a dead network or FUSE filesystem. */
  async of(pid: number, ids: ReadonlySet<number>): Promise<Pick<Holder, 'how' | 'path'>[]> {
    const found: Pick<Holder, 'how' | 'path'>[] = [];
    for (const fd of await orElse(readdir(`/proc/${pid}/fdinfo`), [])) {
      const id = mountIdIn(await orElse(readFile(`/proc/${pid}/fdinfo/${fd}`, 'utf8'), ''));
      if (id === undefined || !ids.has(id)) continue;
      found.push({ how: 'file', path: await orElse(readlink(`/proc/${pid}/fd/${fd}`), '') });
    }
    for (const [how, link] of Object.entries(linkTargets) as [keyof typeof linkTargets, string][]) {
      const id = await orElse(mountIdOf(`/proc/${pid}/${link}`), undefined);
      if (id === undefined || !ids.has(id)) continue;
      found.push({ how, path: await orElse(readlink(`/proc/${pid}/${link}`), '') });
    }
    for (const line of (await orElse(readFile(`/proc/${pid}/maps`, 'utf8'), '')).split('\n')) {
      const [, , , device, , ...path] = line.split(/ +/);
      if (device !== this.#mapped) continue;
      const mapped = path.join(' ');
      if (this.#point === undefined || within(mapped, [this.#point])) found.push({ how: 'mapping', path: mapped });
    }
    return found;
  }
}

const processes = async (): Promise<number[]> =>
  (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);

/** What the kernel itself keeps open beneath one of these directories: the files below loop devices and swap areas. */
const kernelHolders = async (points: readonly string[]): Promise<Holder[]> => {
  const none = { pid: null, unit: null, user: null } as const;
  const loops = (await attachedLoops())
    .filter(({ backingFile }) => within(backingFile, points))
    .map(({ path, backingFile }) => ({ ...none, command: path, how: 'loop' as const, path: backingFile }));
  const swaps = (await orElse(readFile('/proc/swaps', 'utf8'), ''))
    .split('\n')
    .map((line) => line.split(/\s+/, 1)[0] ?? '')
    .filter((file) => within(file, points))
    .map((file) => ({ ...none, command: 'swap', how: 'swap' as const, path: file }));
  return [...loops, ...swaps];
};

export interface HolderOptions {
  /** Only through the mount at this very place, in whatever namespace. */
  readonly point?: string;
  /** Where the filesystem is meant to be mounted: a mount anywhere else that would outlive ours counts, too. */
  readonly meant?: readonly string[];
}

/**
 * Who uses the filesystem on `device` (`major:minor`): open files, working and root directories, programs, mappings, loop devices and
 * swap files. Descriptors that came over a socket count too: they are found by mount id, whatever namespace the process is in.
 */
export const findHolders = async (device: string, { point, meant }: HolderOptions = {}): Promise<Holder[]> => {
  const scan = new Scan(device, point);
  const pids = await processes();
  const ids = await scan.mountIds(pids);
  const holders: Holder[] = [];
  const own = (await readMounts()).filter((mount) => mount.device === device).map((mount) => mount.point);
  holders.push(...(await kernelHolders(point === undefined ? own : [point])));
  for (const { pid, path } of meant === undefined ? [] : await foreignMounts(device, meant, pids)) {
    const facts = pid === null ? { command: 'mount', unit: null, user: null } : await factsOf(pid);
    holders.push({ pid, ...facts, how: 'mount', path });
  }
  for (const pid of pids) {
    const seen = new Set<string>();
    for (const { how, path } of await scan.of(pid, ids)) {
      if (seen.has(`${how} ${path}`)) continue;
      seen.add(`${how} ${path}`);
      holders.push({ pid, ...(await factsOf(pid)), how, path });
      if (holders.length >= mostHolders) return holders;
    }
  }
  return holders;
};

/** One process of each mount namespace in which the filesystem is mounted, once for each of its mount points there. */
export const findNamespaces = async (device: string): Promise<(Holder & { readonly pid: number })[]> => {
  const known = new Set<string>();
  const holders: (Holder & { readonly pid: number })[] = [];
  for (const pid of await processes()) {
    const namespace = await orElse(readlink(`/proc/${pid}/ns/mnt`), '');
    if (namespace === '' || known.has(namespace)) continue;
    known.add(namespace);
    for (const mount of parseMountinfo(await orElse(readFile(`/proc/${pid}/mountinfo`, 'utf8'), ''))) {
      if (mount.device !== device) continue;
      holders.push({ pid, ...(await factsOf(pid)), how: 'namespace', path: mount.point });
    }
  }
  return holders;
};

/** Processes that have the file or block device itself open (by the text of their descriptors). */
export const findOpeners = async (path: string): Promise<number[]> => {
  const openers: number[] = [];
  for (const pid of await processes()) {
    for (const fd of await orElse(readdir(`/proc/${pid}/fd`), [])) {
      if ((await orElse(readlink(`/proc/${pid}/fd/${fd}`), '')) !== path) continue;
      openers.push(pid);
      break;
    }
  }
  return openers;
};
