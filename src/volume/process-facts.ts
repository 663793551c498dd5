import { readFile } from 'node:fs/promises';

/** What an admin needs to know of a process in order to end it, and nothing that a process could forge into another one's name. */
export interface ProcessFacts {
  readonly command: string;
  /** The systemd unit, or `docker 0123456789ab`; null outside of both. */
  readonly unit: string | null;
  /** Name of the effective user, or its number where this machine has no name for it. */
  readonly user: string | null;
}

/** A process can end between two reads, and a kernel thread has no such files. */
const textOf = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');

const container =
  /(?:^|[/-])(docker|libpod|crio|containerd|lxc)[-/.:](?:payload\.)?([0-9a-f]{12,64}|[^/]+?)(?:\.scope)?$/;
const engines: Readonly<Record<string, string>> = { libpod: 'podman' };

/** From the lines of `/proc/<pid>/cgroup`, of version 2 or 1: the deepest unit or container that a path names. */
export const unitOf = (cgroup: string): string | null => {
  const lines = cgroup.split('\n').filter((line) => line.startsWith('0::') || line.includes(':name=systemd:'));
  for (const line of lines) {
    const parts = line.slice(line.indexOf(':', line.indexOf(':') + 1) + 1).split('/');
    for (let length = parts.length; length > 1; length -= 1) {
      const path = parts.slice(0, length).join('/');
      const [, engine, id] = container.exec(path) ?? [];
      if (engine !== undefined && id !== undefined) return `${engines[engine] ?? engine} ${id.slice(0, 12)}`;
      const last = parts[length - 1] ?? '';
      if (/\.(service|scope|socket|mount)$/.test(last)) return last;
    }
  }
  return null;
};

const userNames = async (): Promise<ReadonlyMap<string, string>> =>
  new Map(
    (await textOf('/etc/passwd')).split('\n').flatMap((line) => {
      const [name, , uid] = line.split(':');
      return name === undefined || uid === undefined ? [] : [[uid, name] as const];
    }),
  );

const userOf = async (pid: number): Promise<string | null> => {
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(await textOf(`/proc/${pid}/status`))?.[1];
  if (uid === undefined) return null;
  return (await userNames()).get(uid) ?? uid;
};

export const commandOf = async (pid: number): Promise<string> => {
  const line = (await textOf(`/proc/${pid}/cmdline`)).replaceAll('\0', ' ').trim();
  return (line === '' ? await textOf(`/proc/${pid}/comm`) : line).trim().slice(0, 200);
};

export const factsOf = async (pid: number): Promise<ProcessFacts> => ({
  command: await commandOf(pid),
  unit: unitOf(await textOf(`/proc/${pid}/cgroup`)),
  user: await userOf(pid),
});
