import { ReelError, storageHints } from '../../errors.ts';
import { storageFailure } from '../../exec/failure.ts';
import { type RunResult, run } from '../../exec/run.ts';
import { damaged, ext4Superblock, journalPending, type MakeFilesystem, readSuperblock } from './kind.ts';

/** Writing the inode tables of a large volume takes minutes on a slow disk; a full check of a damaged one takes longer still. */
const makeTimeoutMs = 30 * 60_000;
const checkTimeoutMs = 60 * 60_000;
const anyCode = Array.from({ length: 256 }, (_, code) => code);

/** From this size on a volume holds reels of hours, so one inode for each 256 KiB is plenty; ext4's default would cost 1.6 %. */
const largeVolume = 4 * 1024 ** 3;
const inodeRatio = (size: number): string => String(size < largeVolume ? 16_384 : 262_144);

/**
 * A backup of the superblock lies at the start of the second group of blocks. Groups of 128 MiB, as mke2fs makes them, leave a small volume
 * without a second one, and so without a way back from a superblock that a power cut tore.
 */
const twoUsualGroups = 2 * 128 * 1024 ** 2;
const groups = (size: number): string[] => (size < twoUsualGroups ? ['-g', '4096'] : []);

/**
 * - `nodiscard`: a discard would punch holes into the preallocated container, or turn to garbage under the userspace engine.
 * - no lazy initialisation: inode tables and journal are written here, inside `create`, where an I/O error is an answer to the
 *   caller, and not by a kernel thread after the volume was declared good. Fresh ciphertext decrypts to noise, so they must be written.
 * - `-m 0`: reserved blocks are for root, and root does not record here.
 */
export const makeExt4 = async ({ device, size, label }: MakeFilesystem): Promise<void> => {
  const extended = 'nodiscard,lazy_itable_init=0,lazy_journal_init=0';
  const named = label === undefined ? [] : ['-L', label];
  const sizes = ['-b', '4096', ...groups(size), '-m', '0', '-i', inodeRatio(size)];
  const args = ['-q', '-t', 'ext4', ...sizes, ...named, '-E', extended, device];
  await run('mke2fs', args, { timeoutMs: makeTimeoutMs });
};

/** s_feature_incompat, and the flag in it that says that the journal holds something. */
const incompatOffset = ext4Superblock + 0x60;
const needsRecovery = 0x4;
/** s_blocks_per_group. */
const groupOffset = ext4Superblock + 0x20;

const e2fsck = (...args: readonly string[]): Promise<RunResult> =>
  run('e2fsck', args, { timeoutMs: checkTimeoutMs, okCodes: anyCode });

/** Mounting writes the superblock in place and beside the journal: 1,024 bytes, of which a power cut may leave one sector old. */
const isTorn = ({ exitCode, stderr }: RunResult): boolean =>
  exitCode === 8 && stderr.includes('Superblock checksum does not match');

/** Repairs from the backup superblock: the journal, which the backup says nothing of, is replayed, and the main one written anew. */
const preenFromBackup = async (device: string): Promise<RunResult> =>
  e2fsck('-p', '-b', String((await readSuperblock(device)).readUInt32LE(groupOffset)), '-B', '4096', device);

/**
 * Replays the journal and repairs what is safe to repair. With `readOnly` it only looks, and a journal that must be replayed, or a torn
 * superblock, is refused (`volume-state`). Throws `filesystem-damaged` where a person has to decide.
 */
export const checkExt4 = async (device: string, { readOnly }: { readonly readOnly: boolean }): Promise<void> => {
  if (readOnly && ((await readSuperblock(device)).readUInt32LE(incompatOffset) & needsRecovery) !== 0) {
    throw journalPending();
  }
  const first = await e2fsck(readOnly ? '-n' : '-p', device);
  if (readOnly && isTorn(first)) throw journalPending();
  const { exitCode, stdout } = isTorn(first) ? await preenFromBackup(device) : first;
  // 0 clean, 1 and 2 corrected
  if (exitCode <= (readOnly ? 0 : 2)) return;
  const said = stdout.toString();
  // A disk that does not answer is no damage to repair by hand: the same filesystem may be whole on a disk that does.
  if (storageFailure(said) !== undefined) {
    const details = { exitCode, output: said.trim().slice(-1000) };
    const parts = { expected: `${device} to be readable`, got: 'an I/O error while it was checked', details };
    throw new ReelError('io-error', { ...parts, hint: storageHints['io-error'] });
  }
  throw damaged('e2fsck', exitCode, said);
};
