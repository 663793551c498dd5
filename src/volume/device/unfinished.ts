import type { VolumeContext } from '../context.ts';
import { headerBytes } from '../create/options.ts';
import { removeFile } from '../directories.ts';
import { removeHeaderBackups } from '../headers/backup.ts';
import { overwriteArea } from '../headers/header-area.ts';
import type { VolumePaths } from '../layout.ts';
import { attachmentsOf, containerAt } from '../look.ts';
import { awaitOrphans } from '../orphans.ts';
import { tearDown } from '../teardown.ts';
import { readDeviceJournal } from './journal.ts';

/**
 * Takes away what an interrupted `create` on a block device left: what is attached, keys, header backups, and the header if it is the one
 * that this create wrote. Whatever else lies on the device by now is somebody's. Idempotent.
 */
export const removeUnfinishedDevice = async (context: VolumeContext, paths: VolumePaths): Promise<void> => {
  const begun = await readDeviceJournal(paths.creatingDevice);
  if (begun === undefined) return;
  const at = (): ReturnType<typeof containerAt> => containerAt(context, begun.device);
  // not formatted yet, or not there
  const container = await at().catch(() => undefined);
  if (container !== undefined) {
    const attachments = await attachmentsOf(context, container);
    const spare = attachments.flatMap(({ blockPid }) => (blockPid === null ? [] : [blockPid]));
    await awaitOrphans([container.path, ...attachments.flatMap(({ devices }) => devices)], spare);
  }
  // Asked again: until the orphans had ended, they could still format or attach.
  const settled = await at().catch(() => undefined);
  if (settled?.uuid === begun.uuid) {
    await tearDown(context, settled, paths.mountPoint);
    await overwriteArea(settled.path, 0, headerBytes[settled.type]);
  }
  await removeHeaderBackups(context, begun.uuid);
  // The key may have its name already: that comes before the journal goes.
  for (const file of [paths.creatingKey, paths.key]) await removeFile(file);
  await removeFile(paths.creatingDevice);
};
