/** Whether anything uses a block device. The last word has the kernel: it opens one exclusively only where nobody else has. */
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { ReelError } from '../../errors.ts';
import { attachedLoops } from '../engine/loop.ts';
import { readMounts } from '../mountinfo.ts';
import type { BlockDevice } from './block-device.ts';

const inUse = ({ node }: BlockDevice, got: string, hint: string, cause?: unknown): ReelError =>
  new ReelError('device-in-use', { expected: `nothing to use ${node}`, got, hint, cause, details: { device: node } });

const names = (directory: string): Promise<string[]> => readdir(directory).catch(() => []);

/** The device and its partitions, as sysfs has them: directory and number of each. */
const family = async ({ number }: BlockDevice): Promise<{ directory: string; number: string; name: string }[]> => {
  const own = `/sys/dev/block/${number}`;
  const name = path.basename(await readlink(own));
  const parts = (await names(own)).filter((each) => each.startsWith(name));
  const found = [{ directory: own, number, name }];
  for (const part of parts) {
    const directory = path.join(own, part);
    const text = await readFile(path.join(directory, 'dev'), 'utf8').catch(() => '');
    if (text !== '') found.push({ directory, number: text.trim(), name: part });
  }
  return found;
};

/** Who uses it, in words, where that can be found. Throws `device-in-use`. */
const refuseKnown = async (device: BlockDevice): Promise<void> => {
  const [mounts, swaps, loops] = await Promise.all([
    readMounts(),
    readFile('/proc/swaps', 'utf8').catch(() => ''),
    attachedLoops(),
  ]);
  for (const { directory, number, name } of await family(device)) {
    const mount = mounts.find((each) => each.device === number);
    if (mount !== undefined) throw inUse(device, `/dev/${name} mounted at ${mount.point}`, `umount ${mount.point}`);
    if (swaps.split('\n').some((line) => line.split(/\s/)[0] === `/dev/${name}`)) {
      throw inUse(device, `swap on /dev/${name}`, `run \`swapoff /dev/${name}\`, and take it out of /etc/fstab`);
    }
    const [holder] = await names(path.join(directory, 'holders'));
    if (holder !== undefined) {
      throw inUse(device, `${holder} on /dev/${name}`, 'it is part of LVM, a RAID, a mapping or bcache: see `lsblk`');
    }
    const loop = loops.find(({ backingFile }) => backingFile === `/dev/${name}`);
    if (loop !== undefined) {
      throw inUse(device, `the loop device ${loop.path} on /dev/${name}`, `run \`losetup -d ${loop.path}\``);
    }
  }
};

/**
 * The device, opened so that nobody else can use it until the caller closes it; `number` is proven again on what was opened.
 * Throws `device-in-use`, `device-refused` for one that takes no writes.
 */
export const openExclusively = async (device: BlockDevice): Promise<FileHandle> => {
  await refuseKnown(device);
  const readOnly = (await readFile(`/sys/dev/block/${device.number}/ro`, 'utf8')).trim() === '1';
  if (readOnly) {
    throw new ReelError('device-refused', {
      expected: `${device.node} to take writes`,
      got: 'a read-only device',
      details: { device: device.node },
    });
  }
  return open(device.node, constants.O_RDWR | constants.O_EXCL).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EBUSY') throw cause;
    throw inUse(device, 'somebody who does not say who it is', `see \`lsblk\` and \`fuser -v ${device.node}\``, cause);
  });
};
