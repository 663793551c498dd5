/** A container that is not where it was, while its volume is still attached: enough of it to take that away. */
import path from 'node:path';
import type { ContainerFile } from '../engine/engine.ts';
import { mappingName } from '../engine/mapping-name.ts';
import { type AttachedFile, backingFile, deviceName, fileOf, findPlane, mappedName } from '../kernel-facts.ts';
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

const attachedFile = (layout: Layout, mount: Mount, uuid: string): AttachedFile | undefined => {
  const device = deviceName(mount.device) ?? '';
  const directory = path.join(layout.blocks, uuid);
  if (path.dirname(backingFile(device) ?? '') === directory) {
    const pid = findPlane(directory);
    return pid === undefined ? undefined : fileOf(pid);
  }
  const name = backingFile(device);
  // only a process is asked by device and inode which file it has
  return name === undefined ? undefined : { path: name, dev: 0, ino: 0 };
};

/**
 * The file that the volume on this mount is attached from, under the name that the kernel has for it now: it follows a rename, and ends in
 * ` (deleted)` after an unlink. Undefined where that is `container` as it should be, where it is not known and a file is there, or the mount is not one of ours.
 */
export const movedContainer = (
  layout: Layout,
  container: string,
  { mount, missing }: { readonly mount: Mount | undefined; readonly missing: boolean },
): ContainerFile | undefined => {
  const uuid = mount === undefined ? undefined : uuidBelow(layout, mount);
  if (mount === undefined || uuid === undefined) return undefined;
  const found = attachedFile(layout, mount, uuid);
  if (found === undefined ? !missing : found.path === container) return undefined;
  const file = found ?? { path: container, dev: 0, ino: 0 };
  return { ...file, size: 0, allocated: 0, uuid, type: 'luks2', block: null };
};

/** Undefined where the mount is not one of ours. */
export const goneContainer = (layout: Layout, device: string, mount: Mount | undefined): ContainerFile | undefined => {
  const uuid = mount === undefined ? undefined : uuidBelow(layout, mount);
  if (uuid === undefined) return undefined;
  return { path: device, dev: 0, ino: 0, size: 0, allocated: 0, uuid, type: 'luks2', block: 'gone' };
};
