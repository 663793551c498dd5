/** How long a container is, a file or a block device: of the latter stat(2) says 0. */
import type { BigIntStats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';

/** `major:minor`, as the kernel's tables name a device. `rdev` is glibc's encoding (makedev(3)). */
export const deviceNumber = (rdev: bigint): string => {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
};

/** Bytes of a block device as the kernel has it now, partitions too. It counts in 512 bytes whatever the blocks are. */
export const deviceBytes = async (number: string): Promise<number> =>
  Number(await readFile(`/sys/dev/block/${number}/size`, 'utf8')) * 512;

export const sizeOf = async (found: BigIntStats): Promise<number> =>
  found.isBlockDevice() ? deviceBytes(deviceNumber(found.rdev)) : Number(found.size);

export const sizeAt = async (path: string): Promise<number> => sizeOf(await stat(path, { bigint: true }));
