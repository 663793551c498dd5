import { ReelError, storageHints } from '../../errors.ts';
import { storageFailure } from '../../exec/failure.ts';
import { run } from '../../exec/run.ts';
import { damaged, ext4Superblock, journalPending, type MakeFilesystem, readSuperblock } from './kind.ts';

/** Writing the inode tables of a large volume takes minutes on a slow disk; a full check of a damaged one takes longer still. */
const makeTimeoutMs = 30 * 60_000;
const checkTimeoutMs = 60 * 60_000;
const anyCode = Array.from({ length: 256 }, (_, code) => code);

/** From this size on a volume holds reels of hours, so one inode for each 256 KiB is plenty; ext4's default would cost 1.6 %. */
const largeVolume = 4 * 1024 ** 3;
const inodeRatio = (size: number): string => String(size < largeVolume ? 16_384 : 262_144);

/**
 * - `nodiscard`: a discard would punch holes into the preallocated container, or turn to garbage under the userspace engine.
 * - no lazy initialisation: inode tables and journal are written here, inside `create`, where an I/O error is an answer to the
 *   caller, and not by a kernel thread after the volume was declared good. Fresh ciphertext decrypts to noise, so they must be written.
 * - `-m 0`: reserved blocks are for root, and root does not record here.
 */
export const makeExt4 = async ({ device, size, label }: MakeFilesystem): Promise<void> => {
  const extended = 'nodiscard,lazy_itable_init=0,lazy_journal_init=0';
  const named = label === undefined ? [] : ['-L', label];
  const args = ['-q', '-t', 'ext4', '-b', '4096', '-m', '0', '-i', inodeRatio(size), ...named, '-E', extended, device];
  await run('mke2fs', args, { timeoutMs: makeTimeoutMs });
};

/** s_feature_incompat, and the flag in it that says that the journal holds something. */
const incompatOffset = ext4Superblock + 0x60;
const needsRecovery = 0x4;

/**
 * Replays the journal and repairs what is safe to repair. With `readOnly` it only looks, and a journal that must be replayed is refused
 * (`volume-state`). Throws `filesystem-damaged` where a person has to decide.
 */
export const checkExt4 = async (device: string, { readOnly }: { readonly readOnly: boolean }): Promise<void> => {
  if (readOnly && ((await readSuperblock(device)).readUInt32LE(incompatOffset) & needsRecovery) !== 0) {
    throw journalPending();
  }
  const { exitCode, stdout } = await run('e2fsck', [readOnly ? '-n' : '-p', device], {
    timeoutMs: checkTimeoutMs,
    okCodes: anyCode,
  });
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
