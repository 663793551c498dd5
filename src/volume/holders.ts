import { readdir, readFile, readlink } from 'node:fs/promises';
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

const within = (path: string, points: readonly string[]): boolean =>
  points.some((point) => path === point || path.startsWith(point === '/' ? '/' : `${point}/`));

interface View {
  /** Ids of the mounts of the filesystem in one namespace. */
  readonly ids: ReadonlySet<number>;
  readonly points: readonly string[];
}

const linkTargets = { directory: 'cwd', root: 'root', program: 'exe' } as const;

/** `/proc/<pid>/maps` names devices as hexadecimal `major:minor`. */
const mapsDevice = (device: string): string => {
  const [major = '0', minor = '0'] = device.split(':').map((part) => Number(part).toString(16).padStart(2, '0'));
  return `${major}:${minor}`;
};

class Scan {
  readonly #device: string;
  readonly #mapped: string;
  readonly #views = new Map<string, View>();

  constructor(device: string) {
    this.#device = device;
    this.#mapped = mapsDevice(device);
  }

  /** The filesystem's mounts as process `pid` sees them; processes of one namespace share the answer. */
  async view(pid: number): Promise<View> {
    const namespace = await orElse(readlink(`/proc/${pid}/ns/mnt`), `unknown ${pid}`);
    const known = this.#views.get(namespace);
    if (known !== undefined) return known;
    const mounts = parseMountinfo(await orElse(readFile(`/proc/${pid}/mountinfo`, 'utf8'), '')).filter(
      (mount) => mount.device === this.#device,
    );
    const view = { ids: new Set(mounts.map((mount) => mount.id)), points: mounts.map((mount) => mount.point) };
    this.#views.set(namespace, view);
    return view;
  }

  get allIds(): ReadonlySet<number> {
    return new Set([...this.#views.values()].flatMap((view) => [...view.ids]));
  }

  /** By mount id and by text only: a stat of somebody's file could hang on a dead network or FUSE filesystem. */
  async of(pid: number, ids: ReadonlySet<number>): Promise<Pick<Holder, 'how' | 'path'>[]> {
    const found: Pick<Holder, 'how' | 'path'>[] = [];
    for (const fd of await orElse(readdir(`/proc/${pid}/fdinfo`), [])) {
      const info = await orElse(readFile(`/proc/${pid}/fdinfo/${fd}`, 'utf8'), '');
      const id = /^mnt_id:\s*(\d+)$/m.exec(info)?.[1];
      if (id === undefined || !ids.has(Number(id))) continue;
      found.push({ how: 'file', path: await orElse(readlink(`/proc/${pid}/fd/${fd}`), '') });
    }
    const { points } = await this.view(pid);
    for (const [how, link] of Object.entries(linkTargets) as [keyof typeof linkTargets, string][]) {
      const target = await orElse(readlink(`/proc/${pid}/${link}`), undefined);
      if (target !== undefined && within(target, points)) found.push({ how, path: target });
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
  for (const pid of pids) await scan.view(pid);
  const ids = scan.allIds;
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
