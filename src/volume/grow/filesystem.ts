import { open, readFile, realpath } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReelError } from '../../errors.ts';
import { run } from '../../exec/run.ts';
import { findOpeners } from '../holders.ts';

/** Initialising the inode tables of many terabytes takes a while on a slow disk. */
const growTimeoutMs = 60 * 60_000;
const readTimeoutMs = 30_000;
const orphanPatienceMs = 120_000;

/** Where a mounted filesystem is, and on what. */
export interface Mounted {
  readonly type: string;
  readonly device: string;
  readonly point: string;
}

interface Extent {
  /** Bytes of the filesystem. */
  readonly size: number;
  /** Bytes at the device's end that it may leave unused: too few for one more group of its own. */
  readonly spare: number;
}

interface Kind {
  grow(mounted: Mounted): Promise<unknown>;
  measure(mounted: Mounted): Promise<Extent>;
}

const superblockOffset = 1024;
/** resize2fs makes no last group with fewer data blocks than this (adjust_fs_info in its resize2fs.c). */
const fewestDataBlocks = 50;

/**
 * From the device, whose cache is the very one that a mounted ext4 keeps its superblock in. Offsets: Linux,
 * Documentation/filesystems/ext4/super.rst.
 */
const measureExt4 = async (device: string): Promise<Extent> => {
  const block = Buffer.alloc(1024);
  const file = await open(device, 'r');
  try {
    await file.read(block, 0, block.length, superblockOffset);
  } finally {
    await file.close();
  }
  const blockSize = 2 ** (10 + block.readUInt32LE(0x18));
  const blocks = block.readUInt32LE(0x4) + block.readUInt32LE(0x150) * 2 ** 32;
  const groupBlocks = block.readUInt32LE(0x20);
  const size = blocks * blockSize;
  // Only whole groups: anything else could take one more block.
  if (blocks % groupBlocks !== 0) return { size, spare: blockSize };
  const inodeBlocks = Math.ceil((block.readUInt32LE(0x28) * block.readUInt16LE(0x58)) / blockSize);
  const descriptorBlocks = Math.ceil(((blocks / groupBlocks + 1) * block.readUInt16LE(0xfe)) / blockSize);
  const overhead = 2 + inodeBlocks + 1 + descriptorBlocks + block.readUInt16LE(0xce);
  return { size, spare: (overhead + fewestDataBlocks) * blockSize };
};

/** XFS makes no allocation group of fewer blocks (XFS_MIN_AG_BLOCKS). */
const fewestGroupBlocks = 64;

const measureXfs = async (point: string): Promise<Extent> => {
  const { stdout } = await run('xfs_info', [point], { timeoutMs: readTimeoutMs });
  const [, blockSize, blocks] = /^data\s+=\s+bsize=(\d+)\s+blocks=(\d+)/m.exec(stdout.toString()) ?? [];
  return { size: Number(blockSize) * Number(blocks), spare: fewestGroupBlocks * Number(blockSize) };
};

const kinds: Readonly<Record<string, Kind>> = {
  ext4: {
    grow: ({ device }) => run('resize2fs', [device], { timeoutMs: growTimeoutMs }),
    measure: ({ device }) => measureExt4(device),
  },
  xfs: {
    grow: ({ point }) => run('xfs_growfs', ['-d', point], { timeoutMs: growTimeoutMs }),
    measure: ({ point }) => measureXfs(point),
  },
};

const kindOf = (type: string): Kind => {
  const kind = kinds[type];
  if (kind !== undefined) return kind;
  throw new ReelError('volume-identity', { expected: 'a mounted ext4 or xfs', got: type });
};

const capSysResource = 24n;

/**
 * Why this process may not grow the mounted filesystem, or undefined. Linux grows a mounted ext4 only for CAP_SYS_RESOURCE of the whole
 * machine, which containers and small virtual machines often withhold even from root. XFS asks for no more than mounting does.
 */
export const onlineRefusal = async (type: string): Promise<string | undefined> => {
  if (type !== 'ext4') return undefined;
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile('/proc/self/status', 'utf8'))?.[1] ?? '0';
  if (((BigInt(`0x${effective}`) >> capSysResource) & 1n) === 1n) return undefined;
  return 'Linux grows a mounted ext4 only for a process with CAP_SYS_RESOURCE, which this machine withholds from the helper';
};

/** A helper that was killed leaves its resize2fs running, and the kernel runs one a filesystem. */
const awaitOthers = async (device: string): Promise<void> => {
  const file = await realpath(device);
  const deadline = Date.now() + orphanPatienceMs;
  while ((await findOpeners(file)).length > 0 && Date.now() < deadline) await sleep(100);
};

/** Grows a mounted filesystem to its device. Idempotent; one that was interrupted is whole at some size in between. */
export const growMounted = async (mounted: Mounted): Promise<void> => {
  await awaitOthers(mounted.device);
  await kindOf(mounted.type).grow(mounted);
};

/** Grows an ext4 that nothing has mounted. resize2fs wants to know first that it is whole. */
export const growUnmounted = async (device: string): Promise<void> => {
  // 0 clean, 1 and 2 corrected
  await run('e2fsck', ['-f', '-p', device], { timeoutMs: growTimeoutMs, okCodes: [0, 1, 2] });
  await run('resize2fs', [device], { timeoutMs: growTimeoutMs });
};

/** Bytes of a mounted filesystem, and whether it reaches its device's end as far as its kind can. */
export const measureFilesystem = async (
  mounted: Mounted,
  deviceSize: number,
): Promise<{ readonly size: number; readonly full: boolean }> => {
  const { size, spare } = await kindOf(mounted.type).measure(mounted);
  return { size, full: deviceSize - size < spare };
};
