/** What a service has of the machine: everything that could be left behind, counted. */
import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Service } from '../e2e/service.ts';
import { blockPlanesBeneath, loopsBeneath } from '../e2e/storage.ts';
import type { FuseControl } from './fuse-control.ts';

export interface Figures {
  readonly loops: number;
  readonly mappings: number;
  /** In every mount namespace of the machine. */
  readonly mounts: number;
  /** That were ours, are in the kernel's list, and have no mount. */
  readonly fuseConnections: number;
  readonly blockPlanes: number;
  readonly daemonFds: number;
  readonly helperFds: number;
  /** Bytes of resident memory. */
  readonly daemonRss: number;
  readonly helperRss: number;
  /** Below datapath, runtime and temporary directory. */
  readonly files: number;
}

const processes = async (): Promise<string[]> => (await readdir('/proc')).filter((name) => /^\d+$/.test(name));

/** The mount tables of all processes, each namespace once for every root directory there: a table shows what lies beneath the root. */
export const mountTables = async (): Promise<string[]> => {
  const tables = new Map<string, string>();
  for (const pid of await processes()) {
    const namespace = await readlink(`/proc/${pid}/ns/mnt`).catch(() => '');
    const root = await stat(`/proc/${pid}/root`).catch(() => undefined);
    const view = `${namespace} ${root?.dev}:${root?.ino}`;
    if (namespace === '' || tables.has(view)) continue;
    const table = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => undefined);
    if (table !== undefined) tables.set(view, table);
  }
  return [...tables.values()];
};

/** Connections of the FUSE mounts below `folder`, as the kernel names them: by the minor number of the mount's device. */
export const connectionsBelow = async (folder: string): Promise<string[]> => {
  const lines = (await mountTables()).flatMap((table) => table.split('\n')).map((line) => line.split(' '));
  const ours = lines.filter(
    (fields) => fields[4]?.startsWith(`${folder}/`) && fields.some((each) => each.startsWith('fuse')),
  );
  return [...new Set(ours.map((fields) => fields[2]?.split(':')[1] ?? ''))];
};

/** Of those that were ours, the ones that exist although no mount has them: a number is given again once it is free. */
const orphaned = async ({ connections, control }: Ours): Promise<number> => {
  const mounted = new Set(
    (await mountTables()).flatMap((table) => table.split('\n')).map((line) => line.split(' ')[2]),
  );
  return (await control.connections()).filter((name) => connections.has(name) && !mounted.has(`0:${name}`)).length;
};

const mappingsOf = async (uuids: ReadonlySet<string>): Promise<number> => {
  const devices = (await readdir('/sys/block')).filter((name) => name.startsWith('dm-'));
  const names = await Promise.all(
    devices.map((name) => readFile(`/sys/block/${name}/dm/name`, 'utf8').catch(() => '')),
  );
  return names.filter((name) => [...uuids].some((uuid) => name.includes(uuid))).length;
};

const fdsOf = async (pid: number): Promise<number> => (await readdir(`/proc/${pid}/fd`)).length;

const rssOf = async (pid: number): Promise<number> =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

export interface Ours {
  /** Of all volumes there were. */
  readonly uuids: ReadonlySet<string>;
  /** Of all FUSE mounts there were. */
  readonly connections: ReadonlySet<string>;
  readonly control: FuseControl;
}

export const filesOf = async (service: Service, temporary: string): Promise<string[]> => {
  const trees = [service.datapath, service.runtime, temporary];
  const found = await Promise.all(
    trees.map(async (tree) => (await readdir(tree, { recursive: true })).map((file) => path.join(tree, file))),
  );
  return found.flat().sort();
};

export const figuresOf = async (service: Service, temporary: string, ours: Ours): Promise<Figures> => {
  const folder = await realpath(service.folder);
  const [daemon, helper] = [service.partPid('daemon'), service.partPid('helper')];
  const tables = await mountTables();
  const points = tables.flatMap((table) => table.split('\n')).map((line) => line.split(' ')[4] ?? '');
  return {
    loops: (await loopsBeneath(folder)).length,
    mappings: await mappingsOf(ours.uuids),
    mounts: points.filter((point) => point.startsWith(`${folder}/storage/mount/`) || point.startsWith(`${folder}/run/`))
      .length,
    fuseConnections: await orphaned(ours),
    blockPlanes: (await blockPlanesBeneath(folder)).length,
    daemonFds: await fdsOf(daemon),
    helperFds: await fdsOf(helper),
    daemonRss: await rssOf(daemon),
    helperRss: await rssOf(helper),
    files: (await filesOf(service, temporary)).length,
  };
};
