import { open } from 'node:fs/promises';
import { ReelError } from '../../errors.ts';

export type FilesystemType = 'ext4' | 'xfs';

/** The first bytes of a device, where both filesystems keep their main superblock. */
export const readSuperblock = async (device: string): Promise<Buffer> => {
  const file = await open(device, 'r');
  try {
    const bytes = Buffer.alloc(4096);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
};

/** Offset of ext4's superblock, and of its magic number in it (Linux, Documentation/filesystems/ext4/super.rst). */
export const ext4Superblock = 1024;
const ext4Magic = { offset: ext4Superblock + 0x38, value: 0xef53 };

/**
 * Which filesystem is on the device. Throws `volume-identity` for none that we make: such a volume is never formatted, whatever the
 * reason.
 */
export const filesystemOn = async (device: string): Promise<FilesystemType> => {
  const bytes = await readSuperblock(device);
  if (bytes.length >= 2048 && bytes.readUInt16LE(ext4Magic.offset) === ext4Magic.value) return 'ext4';
  if (bytes.toString('latin1', 0, 4) === 'XFSB') return 'xfs';
  throw new ReelError('volume-identity', {
    expected: 'an ext4 or xfs filesystem in the container',
    got: 'none',
    hint: 'only `volume create` makes filesystems; restore the container from a backup if this one should have data',
  });
};

export interface MakeFilesystem {
  readonly device: string;
  /** Bytes of the device. */
  readonly size: number;
  /** Of the filesystem, as `lsblk` and `blkid` show it. */
  readonly label?: string | undefined;
}

export const damaged = (program: string, exitCode: number, output: string): ReelError =>
  new ReelError('filesystem-damaged', {
    expected: 'a filesystem that is clean or safely repaired',
    got: `${program} exit code ${exitCode}`,
    hint: 'copy the container, then follow "Repair by hand" in docs/volumes.md',
    details: { exitCode, output: output.trim().slice(-1000) },
  });

/** A crash left a journal; replaying it is a write, which a read-only open never does. */
export const journalPending = (cause?: unknown): ReelError =>
  new ReelError('volume-state', {
    expected: 'a filesystem that was unmounted in order',
    got: 'one whose journal must be replayed first, which is a write',
    hint: 'open the volume once for writing and lock it, then open it read-only',
    cause,
  });
