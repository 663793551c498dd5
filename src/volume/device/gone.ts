/** A container whose device is not there any more, while its volume is still attached: enough of it to take that away. */
import path from 'node:path';
import type { ContainerFile } from '../engine/engine.ts';
import { mappingName } from '../engine/mapping-name.ts';
import { backingFile, deviceName, mappedName } from '../kernel-facts.ts';
import type { Layout } from '../layout.ts';
import type { Mount } from '../mountinfo.ts';

const prefix = mappingName({ uuid: '' });

/** By the name of the mapping, or of the directory of the block plane. */
const uuidBelow = (layout: Layout, mount: Mount): string | undefined => {
  const device = deviceName(mount.device);
  if (device === undefined) return undefined;
  const mapped = mappedName(device);
  if (mapped?.startsWith(prefix)) return mapped.slice(prefix.length);
  const plane = path.dirname(backingFile(device) ?? '');
  return path.dirname(plane) === layout.blocks ? path.basename(plane) : undefined;
};

/** Undefined where the mount is not one of ours. */
export const goneContainer = (layout: Layout, device: string, mount: Mount | undefined): ContainerFile | undefined => {
  const uuid = mount === undefined ? undefined : uuidBelow(layout, mount);
  if (uuid === undefined) return undefined;
  return { path: device, dev: 0, ino: 0, size: 0, allocated: 0, uuid, type: 'luks2', block: 'gone' };
};
