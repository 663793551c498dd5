import { lstat, readlink, stat } from 'node:fs/promises';
import path from 'node:path';
import { ReelError } from '../../errors.ts';
import { deviceBytes, deviceNumber } from '../../luks/container-size.ts';

/** A block device that a name led to. */
export interface BlockDevice {
  /** Its node, behind all links: `/dev/sdb1`. */
  readonly node: string;
  /** `major:minor`, as of now: after a reboot it may be another one. */
  readonly number: string;
  readonly size: number;
}

/** As many as the kernel follows (path_resolution(7)). */
const mostLinks = 40;

const refused = (device: string, expected: string, got: string): ReelError =>
  new ReelError('device-refused', { expected, got, details: { device } });

/** Throws unless only root can change what a name in `directory` means. */
const proveDirectory = async (device: string, directory: string): Promise<void> => {
  const found = await lstat(directory);
  if (found.isDirectory() && found.uid === 0 && (found.mode & 0o022) === 0) return;
  const got = `owner ${found.uid}, mode ${(found.mode & 0o7777).toString(8)}`;
  throw refused(device, `${directory} to be a directory that only root can change`, got);
};

/** The path without links, each directory on the way proven. */
const follow = async (device: string): Promise<string> => {
  let rest = device.split('/').filter((part) => part !== '');
  let current = '/';
  for (let links = 0; rest.length > 0; ) {
    const [part = '', ...others] = rest;
    await proveDirectory(device, current);
    const next = path.join(current, part);
    rest = others;
    if (!(await lstat(next)).isSymbolicLink()) {
      current = next;
      continue;
    }
    links += 1;
    if (links > mostLinks) throw refused(device, 'a name with few links', 'one that leads in a circle');
    const target = path.resolve(current, await readlink(next));
    rest = [...target.split('/').filter((each) => each !== ''), ...rest];
    current = '/';
  }
  return current;
};

/**
 * What `device` (one of the setting) leads to now. Only root can change any part of the way, which is proven here, so that the node may be
 * given to commands that run as root. Throws `not-found` where there is no such device now, `device-refused` for anything but a block device.
 */
export const resolveDevice = async (device: string): Promise<BlockDevice> => {
  try {
    const node = await follow(device);
    if (!node.startsWith('/dev/')) throw refused(device, 'a node below /dev', node);
    const found = await stat(node, { bigint: true });
    if (!found.isBlockDevice()) throw refused(device, `a block device at ${device}`, 'something else');
    const number = deviceNumber(found.rdev);
    return { node, number, size: await deviceBytes(number) };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw new ReelError('not-found', {
      expected: `the block device ${device}`,
      got: 'none of this name',
      hint: 'connect it, or look with `lsblk` for the name it has now',
      cause,
    });
  }
};
