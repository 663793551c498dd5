/** What all changes of keys begin with: the container, its header, and the rest of what a killed helper left undone. */
import { ReelError } from '../../errors.ts';
import type { Requests } from '../../helper/protocol.ts';
import { refuseReencrypting } from '../../luks/reencryption.ts';
import type { LuksDump } from '../../luks/types.ts';
import type { VolumeContext } from '../context.ts';
import type { ContainerFile } from '../engine/engine.ts';
import { isBackedUp, renewHeaderBackup } from '../headers/backup.ts';
import { otherKeysHint, readKeyFile } from '../key-file.ts';
import type { VolumePaths } from '../layout.ts';
import { containerAt } from '../look.ts';
import { refuseReplaced } from '../refuse-replaced.ts';
import { finishRename } from '../unfinished.ts';
import { forgetRemoved } from './kinds.ts';

export interface Located {
  readonly paths: VolumePaths;
  readonly container: ContainerFile;
}

export interface Begun extends Located {
  readonly header: LuksDump;
}

/** Brings the backups up to the header of now, and destroys older ones. Idempotent; costs nothing where nothing is to be done. */
export const settle = async (context: VolumeContext, container: ContainerFile): Promise<void> => {
  await forgetRemoved(context.luks, container.path);
  if (!(await isBackedUp(context, container))) await renewHeaderBackup(context, container);
};

/** Throws `not-found`, `not-luks`, `container-replaced`. */
export const locate = async (
  context: VolumeContext,
  { name, container: at, uuid }: Pick<Requests['keys-list'], 'name' | 'container' | 'uuid'>,
): Promise<Located> => {
  const paths = context.layout.paths(name, at);
  await finishRename(paths);
  const container = await containerAt(context, paths.container);
  refuseReplaced(container, uuid);
  return { paths, container };
};

/** As `locate`, with the header. Throws what a damaged one throws. */
export const look = async (context: VolumeContext, request: Parameters<typeof locate>[1]): Promise<Begun> => {
  const located = await locate(context, request);
  return { ...located, header: await context.luks.dump(located.container.path) };
};

/** As `look`, for changes. Throws `reencryption-unfinished`. */
export const begin = async (context: VolumeContext, request: Parameters<typeof look>[1]): Promise<Begun> => {
  const begun = await look(context, request);
  refuseReencrypting(begun.header, request.name);
  await settle(context, begun.container);
  return begun;
};

/** Gives `use` the key that opens the volume now: `secret`, which is the caller's, or the bytes of the key file, which are zeroed. */
export const withCurrent = async <T>(
  { paths }: Begun,
  current: 'passphrase' | 'keyFile',
  secret: Buffer | undefined,
  use: (key: Buffer) => Promise<T>,
): Promise<T> => {
  if (current === 'passphrase' && secret !== undefined) return use(secret);
  const key = await readKeyFile(paths.key, otherKeysHint);
  try {
    return await use(key);
  } finally {
    key.fill(0);
  }
};

/** The slot that `key` opens, or undefined for none. */
export const slotOpenedBy = (context: VolumeContext, file: string, key: Buffer): Promise<number | undefined> =>
  context.luks.testKey(file, key).catch((error: unknown) => {
    if (error instanceof ReelError && error.code === 'wrong-key') return undefined;
    throw error;
  });
