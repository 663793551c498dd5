import { open, readdir, readFile, readlink } from 'node:fs/promises';
import { parseMountinfo } from './mountinfo.ts';

/** A process that keeps a filesystem in use. */
export interface Holder {
  readonly pid: number;
  readonly command: string;
  readonly how: 'file' | 'directory' | 'root' | 'program' | 'mapping' | 'namespace';
  /** As the process sees it, where it has one. */
  readonly path: string;
}

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

/** The mount that a link of /proc leads into. Its text would be of no use: that depends on the root directory of whoever reads it. */
const mountIdOf = async (link: string): Promise<number | undefined> => {
  const handle = await open(link, O_PATH);
  try {
    return mountIdIn(await readFile(`/proc/self/fdinfo/${handle.fd}`, 'utf8'));
  } finally {
    await handle.close();
  }
};

const linkTargets = { directory: 'cwd', root: 'root', program: 'exe' } as const;

/** `/proc/<pid>/maps` names devices as hexadecimal `major:minor`. */
const mapsDevice = (device: string): string => {
  const [major = '0', minor = '0'] = device.split(':').map((part) => Number(part).toString(16).padStart(2, '0'));
  return `${major}:${minor}`;
};

class Scan {
  readonly #device: string;
  readonly #mapped: string;
  constructor(device: string) {
    this.#device = device;
    this.#mapped = mapsDevice(device);
  }

  /** Ids of the filesystem's mounts, of every namespace and every root directory of `pids`: each process shows those beneath its own. */
  async mountIds(pids: readonly number[]): Promise<ReadonlySet<number>> {
    const ids = new Set<number>();
    const known = new Set<string>();
    for (const pid of pids) {
      const [namespace, root] = await Promise.all(
        ['ns/mnt', 'root'].map((link) => orElse(readlink(`/proc/${pid}/${link}`), `unknown ${pid}`)),
      );
      if (known.has(`${namespace} ${root}`)) continue;
      known.add(`${namespace} ${root}`);
      for (const mount of parseMountinfo(await orElse(readFile(`/proc/${pid}/mountinfo`, 'utf8'), ''))) {
        if (mount.device === this.#device) ids.add(mount.id);
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
      if (device === this.#mapped) found.push({ how: 'mapping', path: path.join(' ') });
    }
    return found;
  }
}

const commandOf = async (pid: number): Promise<string> => {
  const line = (await orElse(readFile(`/proc/${pid}/cmdline`, 'utf8'), '')).replaceAll('\0', ' ').trim();
  return (line === '' ? await orElse(readFile(`/proc/${pid}/comm`, 'utf8'), '') : line).trim().slice(0, 200);
};

const processes = async (): Promise<number[]> =>
  (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);

/**
 * Who uses the filesystem on `device` (`major:minor`): open files, working and root directories, programs, mappings. Descriptors that
 * came over a socket count too: they are found by mount id, whatever namespace the process is in.
 */
export const findHolders = async (device: string): Promise<Holder[]> => {
  const scan = new Scan(device);
  const pids = await processes();
  const ids = await scan.mountIds(pids);
  const holders: Holder[] = [];
  for (const pid of pids) {
    const seen = new Set<string>();
    for (const { how, path } of await scan.of(pid, ids)) {
      if (seen.has(`${how} ${path}`)) continue;
      seen.add(`${how} ${path}`);
      holders.push({ pid, command: await commandOf(pid), how, path });
      if (holders.length >= mostHolders) return holders;
    }
  }
  return holders;
};

/** One process of each mount namespace in which the filesystem is mounted, once for each of its mount points there. */
export const findNamespaces = async (device: string): Promise<Holder[]> => {
  const known = new Set<string>();
  const holders: Holder[] = [];
  for (const pid of await processes()) {
    const namespace = await orElse(readlink(`/proc/${pid}/ns/mnt`), '');
    if (namespace === '' || known.has(namespace)) continue;
    known.add(namespace);
    for (const mount of parseMountinfo(await orElse(readFile(`/proc/${pid}/mountinfo`, 'utf8'), ''))) {
      if (mount.device !== device) continue;
      holders.push({ pid, command: await commandOf(pid), how: 'namespace', path: mount.point });
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
