/**
 * What the kernel's own tables say of a mounted device. All of it is text below /proc and /sys, which answers also when the device, or the
 * process behind it, hangs: nothing here may touch the mounted filesystem or FUSE. Read at once and not by the threads that do Node's other
 * file work: each of those may be waiting for what hangs.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import path from 'node:path';
import { deviceNumber } from '../luks/container-size.ts';
import { type Mount, parseMountinfo } from './mountinfo.ts';

/** Undefined where there is no such file (any more). */
const text = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
};

const names = (directory: string): string[] => {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
};

export const mountsNow = (): Mount[] => parseMountinfo(text('/proc/self/mountinfo') ?? '');

/** `7:3` is `loop3`. */
export const deviceName = (number: string): string | undefined => {
  try {
    return path.basename(readlinkSync(`/sys/dev/block/${number}`));
  } catch {
    return undefined;
  }
};

/** The file that a loop device lies on, also through mappings over it; the kernel follows renames, and says ` (deleted)` after an unlink. */
export const backingFile = (device: string): string | undefined =>
  text(`/sys/block/${device}/loop/backing_file`) ??
  names(`/sys/block/${device}/slaves`)
    .map(backingFile)
    .find((file) => file !== undefined);

/** What cryptsetup keeps below a mapping while it rewrites the container is named after it. A container may be a mapping itself. */
const isLayer = (slave: string, device: string): boolean =>
  mappedName(slave)?.startsWith(`${mappedName(device) ?? device}-`) ?? false;

/** There while a reencryption is at work below this mapping. */
export const hasLayers = (device: string): boolean =>
  names(`/sys/block/${device}/slaves`).some((slave) => isLayer(slave, device));

/** Names of the loop devices on `file`, which may have been unlinked. */
export const loopsOn = (file: string): string[] =>
  names('/sys/block').filter(
    (name) => name.startsWith('loop') && backingFile(name)?.replace(/ \(deleted\)$/, '') === file,
  );

/** Name of a device-mapper device. */
export const mappedName = (device: string): string | undefined => text(`/sys/block/${device}/dm/name`);

export interface FilesystemErrors {
  readonly count: number;
  /** Function of the kernel that met the last one. */
  readonly where: string;
}

/** What ext4 counted since the last check of the filesystem; undefined for others. */
export const filesystemErrors = (device: string): FilesystemErrors | undefined => {
  const count = text(`/sys/fs/ext4/${device}/errors_count`);
  if (count === undefined) return undefined;
  return { count: Number(count), where: text(`/sys/fs/ext4/${device}/last_error_func`) ?? '' };
};

/** Requests of a block device (Documentation/block/stat.rst of the kernel): how many wait, and a text that changes with each that is done. */
export const deviceWork = (device: string): { waiting: number; done: string } => {
  const fields = (text(`/sys/block/${device}/stat`) ?? '').split(/\s+/);
  const [reads = '', , , , writes = '', , , , waiting = '0', , , discards = '', , , , flushes = ''] = fields;
  return { waiting: Number(waiting), done: [reads, writes, discards, flushes].join(' ') };
};

/** Requests that a FUSE server has not answered, where fusectl is mounted (fuse.rst of the kernel); `device` is that of the mount, `0:N`. */
export const fuseWaiting = (device: string): number =>
  Number(text(`/sys/fs/fuse/connections/${device.split(':')[1]}/waiting`) ?? '0');

export interface ProcessFacts {
  /** `T` stopped, `Z` ended, `D` waits in the kernel: proc_pid_stat(5). */
  readonly state: string;
  /** Files it has open that lie somewhere in the tree of names, devices left out. */
  readonly files: readonly string[];
}

/** Undefined where there is no such process, or it is another one than that with `directory` on its command line. */
export const processFacts = (pid: number, directory: string): ProcessFacts | undefined => {
  if (!(text(`/proc/${pid}/cmdline`) ?? '').split('\0').includes(directory)) return undefined;
  const state = /\) (\S)/.exec(text(`/proc/${pid}/stat`) ?? '')?.[1];
  if (state === undefined) return undefined;
  const links = names(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return { state, files: links.filter((link) => link.startsWith('/') && !link.startsWith('/dev/')) };
};

/** Number of the block device that a block plane has open: its container. Undefined where that is a file, or there is no such process. */
export const blockDeviceOf = (pid: number): string | undefined => {
  for (const fd of names(`/proc/${pid}/fd`)) {
    try {
      const found = statSync(`/proc/${pid}/fd/${fd}`, { bigint: true });
      if (found.isBlockDevice()) return deviceNumber(found.rdev);
    } catch {
      // closed meanwhile
    }
  }
  return undefined;
};

export interface AttachedFile {
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
}

/** The file that a block plane has open: its container, under its name of now. Undefined where that is a device, or there is no such process. */
export const fileOf = (pid: number): AttachedFile | undefined => {
  for (const fd of names(`/proc/${pid}/fd`)) {
    try {
      const link = `/proc/${pid}/fd/${fd}`;
      const found = statSync(link);
      if (found.isFile()) return { path: readlinkSync(link), dev: found.dev, ino: found.ino };
    } catch {
      // closed meanwhile
    }
  }
  return undefined;
};

/** The kernel has no device of this number any more. */
export const isGone = (number: string): boolean => deviceName(number) === undefined;

/** Numbers of what a mapping lies on, below all layers; a device that was taken away is none of them. */
export const devicesBelow = (device: string, from = device): string[] =>
  names(`/sys/block/${from}/slaves`).flatMap((slave) =>
    isLayer(slave, device) ? devicesBelow(device, slave) : (text(`/sys/class/block/${slave}/dev`) ?? []),
  );

/** The process that has `directory` on its command line and is called `luksblock`. */
export const findPlane = (directory: string): number | undefined =>
  names('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => text(`/proc/${pid}/comm`) === 'luksblock' && processFacts(pid, directory) !== undefined);
