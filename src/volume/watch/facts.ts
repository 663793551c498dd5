/** What the helper finds of one volume: quick, and never hung by it. */
import path from 'node:path';
import type { VolumeContext } from '../context.ts';
import { mappingName } from '../engine/mapping-name.ts';
import { findRewriters } from '../engine/rewriter.ts';
import {
  backingFile,
  blockDeviceOf,
  deviceName,
  devicesBelow,
  type FilesystemErrors,
  filesystemErrors,
  hasLayers,
  isGone,
  mappedName,
  mountsNow,
} from '../kernel-facts.ts';
import { mountAt } from '../mountinfo.ts';
import type { PlaneFacts } from './block-planes.ts';
import type { HostFacts } from './host-facts.ts';
import type { Room } from './room-looks.ts';

export interface VolumeFacts {
  readonly name: string;
  /** What is mounted on its mount point. */
  readonly mount: {
    readonly device: string;
    /** It lies on this container and on nothing else. */
    readonly own: boolean;
    /** `loop3`, `dm-0`; null for a filesystem without a device. */
    readonly deviceName: string | null;
    /** Why it takes no writes. */
    readonly readOnly: string | null;
    /** Counted by ext4; null for other filesystems. */
    readonly errors: FilesystemErrors | null;
  } | null;
  /** Of the userspace engine; of the kernel engine only while a reencryption works below it: the data goes through its process. */
  readonly plane: PlaneFacts | null;
  /** The container that is attached, under its name of now; ` (deleted)` at its end when it has none. Null: not known, or a block device. */
  readonly attachedFile: string | null;
  /** `major:minor` of the block device that is attached as the container, `gone` where the kernel has it no more. Null: a file, or not attached. */
  readonly attachedDevice: string | null;
  /** Null: it did not answer in time. */
  readonly host: HostFacts | null;
  /** Of the mounted filesystem. Null: not mounted, not this container's, or not asked because it would not answer now. */
  readonly room: Room | null;
}

export interface Watched {
  readonly name: string;
  readonly container?: string | undefined;
  readonly uuid?: string | undefined;
}

const isOwn = (device: string, below: string | undefined, plain: string, uuid: string): boolean =>
  below?.replace(/ \(deleted\)$/, '') === plain || mappedName(device) === mappingName({ uuid });

/** Undefined where no reencryption works below the mapping `device`, or was killed there. */
const rewriting = (
  device: string | undefined,
  container: { readonly path: string; readonly uuid: string },
): PlaneFacts | undefined => {
  if (device === undefined || !hasLayers(device)) return undefined;
  const pid = findRewriters(container).find(({ online }) => online)?.pid;
  // One that ended in order has taken its layers away before.
  if (pid === undefined && !hasLayers(device)) return undefined;
  const file = backingFile(device);
  return {
    ...{ pid: pid ?? null, state: pid === undefined ? 'gone' : 'running' },
    ...{ stalledMs: 0, abortedAfterMs: null, files: file === undefined ? [] : [file], status: null },
  };
};

/** With the kernel engine below the mapping, with the userspace engine in the hands of its process. */
const deviceBelow = (device: string, pid: number | null): string | null => {
  if (mappedName(device) !== undefined) return devicesBelow(device)[0] ?? 'gone';
  const number = pid === null ? undefined : blockDeviceOf(pid);
  if (number === undefined) return null;
  return isGone(number) ? 'gone' : number;
};

export const factsOf = async (
  { layout, watch: { planes, hosts, rooms, stops } }: VolumeContext,
  { name, container, uuid }: Watched,
): Promise<VolumeFacts> => {
  const paths = layout.paths(name, container);
  const mount = mountAt(mountsNow(), paths.mountPoint);
  const device = mount === undefined ? undefined : deviceName(mount.device);
  const directory = path.join(layout.blocks, uuid ?? 'none');
  const plane = planes.facts(directory) ?? rewriting(device, { path: paths.container, uuid: uuid ?? '' });
  const below = device === undefined ? undefined : backingFile(device);
  const own = isOwn(device ?? '', below, path.join(directory, 'plain'), uuid ?? '');
  const attachedDevice = paths.isDevice && own ? deviceBelow(device ?? '', plane?.pid ?? null) : null;
  const answers = plane === undefined || (plane.state === 'running' && plane.stalledMs === 0);
  return {
    name,
    mount:
      mount === undefined
        ? null
        : {
            device: mount.device,
            own,
            deviceName: device ?? null,
            readOnly: stops.reason(mount) ?? null,
            errors: (device === undefined ? undefined : filesystemErrors(device)) ?? null,
          },
    plane: plane ?? null,
    attachedFile: (plane === undefined ? below : plane.files[0]) ?? null,
    attachedDevice,
    host: (await hosts.at(paths.container, paths.isDevice ? { inUse: attachedDevice !== null } : undefined)) ?? null,
    room: mount !== undefined && own && answers ? ((await rooms.at(paths.mountPoint)) ?? null) : null,
  };
};
