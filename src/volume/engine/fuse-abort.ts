import { mountAt, readMounts } from '../mountinfo.ts';
import { tryUnmount } from '../try-unmount.ts';

const timeoutMs = 5_000;

/**
 * Cuts the FUSE connection of the mount at `directory`: every request that waits, or comes later, fails at once, whatever its server does.
 * A forced unmount does that first (MNT_FORCE, umount(2)), needs no control filesystem, and fails afterwards where a loop device keeps the
 * mount. The answer is the connection's name in sysfs; undefined where nothing is mounted. Throws `command-timeout`.
 */
export const abortFuse = async (directory: string): Promise<string | undefined> => {
  const mount = mountAt(await readMounts(), directory);
  if (mount === undefined) return undefined;
  const args = ['--force', '--internal-only', '--no-canonicalize', directory];
  await tryUnmount(args, { timeoutMs });
  // The connection is named by the device number of its mount, whose major number is 0.
  return `/sys/fs/fuse/connections/${mount.device.replace(/^0:/, '')}`;
};
