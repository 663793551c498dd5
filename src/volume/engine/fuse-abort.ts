import { access, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../../exec/run.ts';
import { mountAt, readMounts } from '../mountinfo.ts';

const connections = '/sys/fs/fuse/connections';
const timeoutMs = 10_000;

/**
 * Cuts the FUSE connection of the mount at `directory`: every request that waits, or comes later, fails at once, whatever its server does.
 * The answer is the connection's name in sysfs; undefined where nothing is mounted or the kernel's control filesystem cannot be had.
 */
export const abortFuse = async (directory: string): Promise<string | undefined> => {
  const mount = mountAt(await readMounts(), directory);
  if (mount === undefined) return undefined;
  // The connection is named by the device number of its mount, whose major number is 0.
  const connection = path.join(connections, mount.device.replace(/^0:/, ''));
  const isThere = (): Promise<boolean> =>
    access(connection).then(
      () => true,
      () => false,
    );
  if (!(await isThere())) {
    await run('mount', ['-t', 'fusectl', 'fusectl', connections], { timeoutMs, okCodes: [0, 1, 32] });
    if (!(await isThere())) return undefined;
  }
  await writeFile(path.join(connection, 'abort'), '1');
  return connection;
};
