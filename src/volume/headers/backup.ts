/** Copies of a container's header: what saves a volume whose header is damaged, and what a removed key still opens. */
import { chmod, readdir, rename } from 'node:fs/promises';
import path from 'node:path';
import type { VolumeContext } from '../context.ts';
import { removeFile, syncDirectory } from '../directories.ts';
import { shred } from '../shred.ts';

export interface BackedUp {
  /** Where the container lies now. */
  readonly path: string;
  readonly uuid: string;
}

/** All copies of a container's header, whole or not. */
export const headerBackups = async (context: VolumeContext, uuid: string): Promise<string[]> =>
  (await readdir(context.layout.headers))
    .filter((file) => file.startsWith(`${uuid}.`) || file.startsWith(`.${uuid}.`))
    .map((file) => path.join(context.layout.headers, file));

/**
 * Writes a new copy of the header, durable under its name on return, and returns that. Root's alone: it opens with the keys of today
 * for ever. A crash leaves a name that starts with a dot, which the next removal takes away.
 */
export const backUpHeader = async (context: VolumeContext, container: BackedUp): Promise<string> => {
  const stamp = new Date().toISOString().replaceAll(/[-:.]/g, '');
  const name = `${container.uuid}.${stamp}.img`;
  const [target, making] = [path.join(context.layout.headers, name), path.join(context.layout.headers, `.${name}`)];
  await context.luks.headerBackup(container.path, making);
  await chmod(making, 0o400);
  await rename(making, target);
  await syncDirectory(context.layout.headers);
  return target;
};

/**
 * Makes a new copy, then destroys all others of this container: after a change of keys they would open with the keys that were removed.
 * Returns how many were destroyed. Idempotent, and at each moment at least one whole copy exists.
 */
export const renewHeaderBackup = async (context: VolumeContext, container: BackedUp): Promise<number> => {
  const fresh = await backUpHeader(context, container);
  const old = (await headerBackups(context, container.uuid)).filter((file) => file !== fresh);
  for (const file of old) await shred(file);
  return old.length;
};

export const removeHeaderBackups = async (context: VolumeContext, uuid: string): Promise<void> => {
  for (const file of await headerBackups(context, uuid)) await removeFile(file);
};
