import { open } from 'node:fs/promises';
import { ReelError } from '../errors.ts';
import { run } from '../exec/run.ts';
import { unmountCopies } from './copies.ts';
import { findHolders, type Holder } from './holders.ts';

/** Writing the inode tables of a large volume takes minutes on a slow disk; a full check of a damaged one takes longer still. */
const makeTimeoutMs = 30 * 60_000;
const checkTimeoutMs = 60 * 60_000;
/** Unmounting writes out whatever is dirty. */
const mountTimeoutMs = 120_000;

/** From this size on a volume holds reels of hours, so one inode for each 256 KiB is plenty; ext4's default would cost 1.6 %. */
const largeVolume = 4 * 1024 ** 3;
const inodeRatio = (size: number): string => String(size < largeVolume ? 16_384 : 262_144);

/**
 * - `nodiscard`: a discard would punch holes into the preallocated container, or turn to garbage under the userspace engine.
 * - no lazy initialisation: inode tables and journal are written here, inside `create`, where an I/O error is an answer to the
 *   caller, and not by a kernel thread after the volume was declared good. Fresh ciphertext decrypts to noise, so they must be written.
 * - `-m 0`: reserved blocks are for root, and root does not record here.
 */
export const makeFilesystem = async (device: string, size: number): Promise<void> => {
  const extended = 'nodiscard,lazy_itable_init=0,lazy_journal_init=0';
  const args = ['-q', '-t', 'ext4', '-b', '4096', '-m', '0', '-i', inodeRatio(size), '-E', extended, device];
  await run('mke2fs', args, { timeoutMs: makeTimeoutMs });
};

const superblockOffset = 1024;
const magicOffset = 0x38;
const magic = 0xef53;

/** Refuses a device without an ext4 superblock: such a volume is never formatted, whatever the reason. Throws `volume-identity`. */
const proveExt4 = async (device: string): Promise<void> => {
  const file = await open(device, 'r');
  try {
    const superblock = Buffer.alloc(1024);
    await file.read(superblock, 0, superblock.length, superblockOffset);
    if (superblock.readUInt16LE(magicOffset) === magic) return;
  } finally {
    await file.close();
  }
  throw new ReelError('volume-identity', {
    expected: 'an ext4 filesystem in the container',
    got: 'none',
    hint: 'only `volume create` makes filesystems; restore the container from a backup if this one should have data',
  });
};

/** Replays the journal and repairs what is safe to repair. Throws `filesystem-damaged` where a person has to decide. */
export const checkFilesystem = async (device: string): Promise<void> => {
  await proveExt4(device);
  // 0 clean, 1 and 2 corrected
  const { exitCode, stdout } = await run('e2fsck', ['-p', device], {
    timeoutMs: checkTimeoutMs,
    okCodes: Array.from({ length: 256 }, (_, code) => code),
  });
  if (exitCode <= 2) return;
  throw new ReelError('filesystem-damaged', {
    expected: 'a filesystem that is clean or safely repaired',
    got: `e2fsck exit code ${exitCode}`,
    hint: 'copy the container, then follow "Repair by hand" in docs/volumes.md',
    details: { exitCode, output: stdout.toString().trim().slice(-1000) },
  });
};

/** No program, device or set-uid file in a volume is ever meant; an error stops writing rather than spreading. Never `discard`. */
const mountOptions = 'nosuid,nodev,noexec,noatime,errors=remount-ro';

export const mountFilesystem = async (device: string, point: string): Promise<void> => {
  await run('mount', ['-t', 'ext4', '-o', mountOptions, device, point], { timeoutMs: mountTimeoutMs });
};

/** `syncfs`. What it says is the last chance to hear of a write that failed: umount itself stays silent. */
export const flushFilesystem = async (point: string): Promise<void> => {
  await run('sync', ['--file-system', point], { timeoutMs: mountTimeoutMs });
};

const refuseHeld = (point: string, holders: readonly Holder[], cause?: unknown): void => {
  if (holders.length === 0) return;
  const first = holders.slice(0, 3).map((holder) => `${holder.command} (pid ${holder.pid}, ${holder.path})`);
  throw new ReelError('volume-busy', {
    expected: `nobody to use ${point}`,
    got: `${holders.length === 1 ? 'one user' : `${holders.length} uses`}: ${first.join(', ')}`,
    hint: 'end these processes, or let them close their files',
    cause,
    details: { holders },
  });
};

/**
 * Never lazily: what is gone from the tree but still mounted can neither be locked nor seen. Throws `volume-busy` with the holders. They
 * are looked for first, because the kernel does not mind users in another mount namespace until it is too late to go back.
 */
export const unmountFilesystem = async (point: string, number: string): Promise<void> => {
  refuseHeld(point, await findHolders(number));
  try {
    await run('umount', [point], { timeoutMs: mountTimeoutMs });
  } catch (thrown) {
    refuseHeld(point, await findHolders(number), thrown);
    throw thrown;
  }
  await unmountCopies(number, point);
};
