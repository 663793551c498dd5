import { lstat, stat } from 'node:fs/promises';
import { walkNames } from '../../datapath/walk-names.ts';
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

const refused = (device: string, expected: string, got: string): ReelError =>
  new ReelError('device-refused', { expected, got, details: { device } });

/** Throws unless only root can change what a name in `directory` means. */
const proveDirectory = async (device: string, directory: string): Promise<void> => {
  const found = await lstat(directory);
  if (found.isDirectory() && found.uid === 0 && (found.mode & 0o022) === 0) return;
  const got = `owner ${found.uid}, mode ${(found.mode & 0o7777).toString(8)}`;
  throw refused(device, `${directory} to be a directory that only root can change`, got);
};

/**
 * What `device` (one of the setting) leads to now. Only root can change any part of the way, which is proven here, so that the node may be
 * given to commands that run as root. Throws `not-found` where there is no such device now, `device-refused` for anything but a block device.
 */
export const resolveDevice = async (device: string): Promise<BlockDevice> => {
  try {
    const node = await walkNames(device, ({ directory }) => proveDirectory(device, directory));
    if (!node.startsWith('/dev/')) throw refused(device, 'a node below /dev', node);
    const found = await stat(node, { bigint: true });
    if (!found.isBlockDevice()) throw refused(device, `a block device at ${device}`, 'something else');
    const number = deviceNumber(found.rdev);
    return { node, number, size: await deviceBytes(number) };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ELOOP') throw refused(device, 'a name with few links', 'one that leads in a circle');
    if (code !== 'ENOENT') throw cause;
    throw new ReelError('not-found', {
      expected: `the block device ${device}`,
      got: 'none of this name',
      hint: 'connect it, or look with `lsblk` for the name it has now',
      cause,
    });
  }
};
