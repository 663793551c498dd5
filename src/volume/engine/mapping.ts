/** The mapping of a container in device-mapper, as sysfs shows it. */
import { readdir, readFile } from 'node:fs/promises';
import { run } from '../../exec/run.ts';
import { mappingName } from './mapping-name.ts';
import { udevEnvironment } from './udev-environment.ts';

/** A device-mapper device that cryptsetup keeps below the mapping while it rewrites the container under it. */
interface Layer {
  readonly name: string;
  readonly number: string;
  /** Whoever reads or writes what it covers waits. */
  readonly suspended: boolean;
}

export interface Mapping {
  readonly number: string;
  /** Numbers of the devices below all layers; one that was taken away has none any more. */
  readonly below: readonly string[];
  /** None but while a reencryption is at work, or after it was killed. */
  readonly layers: readonly Layer[];
  readonly readOnly: boolean;
}

const timeoutMs = 30_000;

const attribute = async (file: string): Promise<string> => (await readFile(file, 'utf8').catch(() => '')).trim();

const slavesOf = (device: string): Promise<string[]> => readdir(`/sys/block/${device}/slaves`).catch(() => []);

/** A container may be a mapping itself (a logical volume): layers are told by their names, which begin with that of the mapping above. */
const isLayer = async (device: string, mapping: string): Promise<boolean> =>
  (await attribute(`/sys/block/${device}/dm/name`)).startsWith(`${mapping}-`);

interface Below {
  readonly layers: Set<string>;
  readonly slaves: Set<string>;
}

/** All layers, and what lies below them, each once. */
const below = async (device: string, mapping: string, found: Below): Promise<Below> => {
  for (const slave of await slavesOf(device)) {
    if (!(await isLayer(slave, mapping))) found.slaves.add(slave);
    else if (!found.layers.has(slave)) {
      found.layers.add(slave);
      await below(slave, mapping, found);
    }
  }
  return found;
};

const layerOf = async (device: string): Promise<Layer> => ({
  name: await attribute(`/sys/block/${device}/dm/name`),
  number: await attribute(`/sys/block/${device}/dev`),
  suspended: (await attribute(`/sys/block/${device}/dm/suspended`)) === '1',
});

/** Undefined where the container has none. */
export const findMapping = async (container: { readonly uuid: string }): Promise<Mapping | undefined> => {
  for (const device of (await readdir('/sys/block')).filter((candidate) => candidate.startsWith('dm-'))) {
    if ((await attribute(`/sys/block/${device}/dm/name`)) !== mappingName(container)) continue;
    const found = await below(device, mappingName(container), { layers: new Set(), slaves: new Set() });
    const layers = await Promise.all([...found.layers].map(layerOf));
    // partitions, too, have their numbers there
    const numbers = await Promise.all([...found.slaves].map((slave) => attribute(`/sys/class/block/${slave}/dev`)));
    const readOnly = (await attribute(`/sys/block/${device}/ro`)) === '1';
    const number = await attribute(`/sys/block/${device}/dev`);
    return { number, below: numbers.filter((each) => each !== ''), layers, readOnly };
  }
  return undefined;
};

/** Whoever waits for it, and whoever comes, gets an error. Names the layers that were suspended. */
export const failSuspended = async ({ layers }: Mapping): Promise<string[]> => {
  const suspended = layers.filter((layer) => layer.suspended).map(({ name }) => name);
  for (const name of suspended) await run('dmsetup', ['wipe_table', name], { timeoutMs, env: udevEnvironment() });
  return suspended;
};
