import { rename } from 'node:fs/promises';
import path from 'node:path';
import type { VolumeContext } from './context.ts';
import { removeUnfinishedDevice } from './device/unfinished.ts';
import { exists, removeFile, syncDirectory } from './directories.ts';
import { removeHeaderBackups } from './headers/backup.ts';
import type { VolumePaths } from './layout.ts';
import { attachmentsOf, containerAt } from './look.ts';
import { awaitOrphans } from './orphans.ts';
import { tearDown } from './teardown.ts';

/** The last step of `create` gives two files their names. When only the container got its own, the key follows here. Idempotent. */
export const finishRename = async (paths: VolumePaths): Promise<void> => {
  // a block device has its name all along
  if (paths.isDevice) return;
  if (!(await exists(paths.creatingKey)) || !(await exists(paths.container)) || (await exists(paths.key))) return;
  await rename(paths.creatingKey, paths.key);
  await syncDirectory(path.dirname(paths.key));
};

/** Takes away what an interrupted `create` left under its temporary names. Nobody was ever told that this volume exists. */
export const removeUnfinished = async (context: VolumeContext, paths: VolumePaths): Promise<void> => {
  await removeUnfinishedDevice(context, paths);
  if (await exists(paths.creating)) {
    const container = await containerAt(context, paths.creating).catch(() => undefined); // not formatted yet
    const attachments = container === undefined ? [] : await attachmentsOf(context, container);
    const spare = attachments.flatMap(({ blockPid }) => (blockPid === null ? [] : [blockPid]));
    await awaitOrphans([paths.creating, ...attachments.flatMap(({ devices }) => devices)], spare);
    // Asked again: until the orphans had ended, they could still format or attach.
    const settled = await containerAt(context, paths.creating).catch(() => undefined);
    if (settled !== undefined) {
      await tearDown(context, settled, paths.mountPoint);
      await removeHeaderBackups(context, settled.uuid);
    }
    await removeFile(paths.creating);
  }
  await removeFile(paths.creatingKey);
};
