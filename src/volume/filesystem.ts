import { ReelError } from '../errors.ts';
import { run } from '../exec/run.ts';
import { unmountCopies } from './copies.ts';
import { checkExt4, makeExt4 } from './filesystem/ext4.ts';
import { type FilesystemType, filesystemOn, type MakeFilesystem } from './filesystem/kind.ts';
import { explainXfs, makeXfs } from './filesystem/xfs.ts';
import { describeHolder, findHolders, type Holder } from './holders.ts';

/** Unmounting writes out whatever is dirty. */
const mountTimeoutMs = 120_000;

export const makeFilesystem = (type: FilesystemType, what: MakeFilesystem): Promise<void> =>
  type === 'ext4' ? makeExt4(what) : makeXfs(what);

export interface Access {
  readonly readOnly: boolean;
}

export interface MountAccess extends Access {
  /** Freed blocks are told to the device at once. */
  readonly discard?: boolean | undefined;
}

/** Finds the filesystem and mends what is safe to mend; with `readOnly` it only looks. Throws `volume-identity`, `filesystem-damaged`. */
export const checkFilesystem = async (device: string, access: Access): Promise<FilesystemType> => {
  const type = await filesystemOn(device);
  if (type === 'ext4') await checkExt4(device, access);
  return type;
};

/** No program, device or set-uid file in a volume is ever meant. */
const mountOptions = 'nosuid,nodev,noexec,noatime';
/** An error stops writing rather than spreading; XFS does so by itself. */
const optionsOf = { ext4: ['errors=remount-ro'], xfs: [] } as const;

export const mountFilesystem = async (
  type: FilesystemType,
  device: string,
  point: string,
  { readOnly, discard = false }: MountAccess,
): Promise<void> => {
  const asked = [...(readOnly ? ['ro'] : []), ...(discard && !readOnly ? ['discard'] : [])];
  const options = [mountOptions, ...optionsOf[type], ...asked].join(',');
  await run('mount', ['-t', type, '-o', options, device, point], { timeoutMs: mountTimeoutMs }).catch(
    async (thrown: unknown) => {
      throw type === 'xfs' ? await explainXfs(device, readOnly, thrown) : thrown;
    },
  );
};

/** `syncfs`. What it says is the last chance to hear of a write that failed: umount itself stays silent. */
export const flushFilesystem = async (point: string, timeoutMs = mountTimeoutMs): Promise<void> => {
  await run('sync', ['--file-system', point], { timeoutMs });
};

const refuseHeld = (point: string, holders: readonly Holder[], cause?: unknown): void => {
  if (holders.length === 0) return;
  const first = holders.slice(0, 3).map((holder) => describeHolder(holder));
  throw new ReelError('volume-busy', {
    expected: `nobody to use ${point}`,
    got: `${holders.length === 1 ? 'one user' : `${holders.length} uses`}: ${first.join(', ')}`,
    hint: 'end them, or let them close their files; or lock with level slam, which ends them by force',
    cause,
    details: { holders },
  });
};

/**
 * Never lazily: what is gone from the tree but still mounted can neither be locked nor seen. Throws `volume-busy` with the holders. They
 * are looked for first, because the kernel does not mind users in another mount namespace until it is too late to go back.
 */
export const unmountFilesystem = async (point: string, number: string): Promise<void> => {
  refuseHeld(point, await findHolders(number, { meant: [point] }));
  try {
    await run('umount', [point], { timeoutMs: mountTimeoutMs });
  } catch (thrown) {
    refuseHeld(point, await findHolders(number, { meant: [point] }), thrown);
    throw thrown;
  }
  await unmountCopies(number, point);
};
