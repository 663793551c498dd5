import type { VolumeContext } from '../context.ts';
import type { ContainerFile } from '../engine/engine.ts';
import { growUnmounted, onlineRefusal } from './filesystem.ts';
import { readJournal } from './journal.ts';

/**
 * Where this machine lets nobody grow a mounted ext4, an open grows it before it mounts, once the container has its new length. A
 * failure keeps no volume from opening: the journal stays, and the next `grow` says why. True where the device was written.
 */
export const growBeforeMount = async (
  context: VolumeContext,
  name: string,
  container: ContainerFile,
  device: string,
): Promise<boolean> => {
  const journal = await readJournal(context.layout.paths(name).growing, container.uuid);
  if (journal === undefined || container.size < journal.to) return false;
  if ((await onlineRefusal('ext4')) === undefined) return false;
  await growUnmounted(device).catch(() => undefined);
  return true;
};
