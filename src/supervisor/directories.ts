/** Makes the service's directories with the right owners. Run by root before anything else runs. */
import { chmod, chown, lstat, mkdir } from 'node:fs/promises';
import { defaultSettings, type Settings } from '../config/settings.ts';
import { ReelError } from '../errors.ts';
import type { Account } from './service-user.ts';

/** Throws `config-invalid` where the path is something else than a directory: a link there could lead root's chown anywhere. */
const makeDirectory = async (path: string): Promise<void> => {
  await mkdir(path, { recursive: true, mode: 0o755 });
  if ((await lstat(path)).isDirectory()) return;
  throw new ReelError('config-invalid', {
    expected: `a directory at ${path}`,
    got: 'something else (a symbolic link?)',
  });
};

const own = async (path: string, uid: number, gid: number, mode: number): Promise<void> => {
  await chown(path, uid, gid);
  await chmod(path, mode);
};

export const prepareDirectories = async (settings: Settings, service: Account): Promise<void> => {
  // A datapath that an admin has named is there, or its name is wrong, or its disk is not mounted: only the default one is made.
  const made = settings.datapath.filter((root) => defaultSettings.datapath.includes(root));
  for (const directory of [...made, settings.state, settings.runtime]) await makeDirectory(directory);
  await own(settings.state, service.uid, service.gid, 0o700);
  // The daemon makes its socket here, but with the sticky bit it cannot replace the helper's socket or the mount points of root.
  await own(settings.runtime, 0, service.gid, 0o1770);
};
