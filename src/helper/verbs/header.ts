import type { VolumeContext } from '../../volume/context.ts';
import { destroyVolume } from '../../volume/destroy/destroy.ts';
import { renewHeaderBackup } from '../../volume/headers/backup.ts';
import { backupPlaces, listBackups } from '../../volume/headers/backup-files.ts';
import { checkHeader } from '../../volume/headers/check.ts';
import { chooseBackup } from '../../volume/headers/choose-backup.ts';
import { compareHeaders } from '../../volume/headers/compare.ts';
import { findContainer } from '../../volume/headers/find-container.ts';
import { repairHeader } from '../../volume/headers/repair.ts';
import { restoreHeader } from '../../volume/headers/restore.ts';
import type { HeaderBackups, headerVerbs } from '../protocol/header.ts';
import { type Handlers, plain } from './handler.ts';

const backupsOf = async (context: VolumeContext, uuid: string): Promise<HeaderBackups> => ({
  places: backupPlaces(context),
  backups: await listBackups(context, uuid),
});

export const headerHandlers: Handlers<keyof typeof headerVerbs> = {
  'header-backup': async (context, request) => {
    const { paths, uuid } = await findContainer(context, request);
    const removedFiles = await renewHeaderBackup(context, { path: paths.container, uuid });
    return plain({ ...(await backupsOf(context, uuid)), removedFiles });
  },
  'header-list': async (context, request) => {
    const uuid = request.uuid ?? (await findContainer(context, request)).uuid;
    return plain(await backupsOf(context, uuid));
  },
  'header-compare': async (context, request) => {
    const { paths, uuid } = await findContainer(context, request);
    const { file, backup } = await chooseBackup(context, uuid, request.backup);
    return plain({ ...(await compareHeaders(paths.container, file)), backupName: backup.name });
  },
  'header-check': async (context, request) => plain(await checkHeader(context, request)),
  'header-restore': async (context, request) => plain(await restoreHeader(context, request)),
  'header-repair': async (context, request) => plain(await repairHeader(context, request)),
  destroy: async (context, request) => plain(await destroyVolume(context, request)),
};
