/** What the confined daemon may do with the directory of its configuration file, where that is not the state directory. */
import { lstat } from 'node:fs/promises';
import path from 'node:path';
import type { Settings } from '../config/settings.ts';
import { ReelError } from '../errors.ts';

const refuse = (expected: string, got: string, hint?: string): never => {
  throw new ReelError('config-invalid', {
    expected: `${expected} for REELVAULT_CONFIG`,
    got,
    ...(hint === undefined ? {} : { hint }),
    details: { key: 'REELVAULT_CONFIG' },
  });
};

const holds = (directory: string, inner: string): boolean => `${inner}/`.startsWith(`${directory}/`);

/**
 * Arguments of the launcher. To read is granted always; to write, so that the file can be saved, where the directory belongs to the service. It
 * must be one of its own: what lies beside the file can be read, too. Throws `config-invalid`.
 */
export const configGrant = async (file: string, settings: Settings, uid: number): Promise<string[]> => {
  const directory = path.dirname(file);
  const { datapath, state, runtime } = settings;
  if (directory === state) return [];
  const hint = 'make one, such as /etc/reelvault, and give it to the service user if the configuration is to be saved';
  const isShared =
    directory.split('/').length < 3 || [state, runtime, ...datapath].some((own) => holds(directory, own));
  if (isShared) refuse('a file in a directory of its own', file, hint);
  if ([runtime, ...datapath].some((root) => holds(root, directory)))
    refuse('a file outside the datapath and the runtime directory', file);
  const info = await lstat(directory).catch(() => undefined);
  if (info?.isDirectory() !== true) return refuse('a file in a directory that is there', file, hint);
  return [info.uid === uid ? '--rw' : '--ro', directory];
};
