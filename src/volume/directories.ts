import { lstat, mkdir, open, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../exec/run.ts';

const timeoutMs = 10_000;

/** Makes the names in a directory durable. */
export const syncDirectory = async (directory: string): Promise<void> => {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/**
 * The empty directory a volume is mounted on, immutable where the filesystem knows that: nothing can be recorded into it by mistake
 * while the volume is not mounted. Idempotent.
 */
export const makeMountPoint = async (point: string): Promise<void> => {
  await mkdir(point, { mode: 0o755 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  // tmpfs and overlay have no such flag; then only root may write there, which is what the mode says
  await run('chattr', ['+i', point], { timeoutMs, okCodes: [0, 1] });
  await syncDirectory(path.dirname(point));
};

/** Takes away the empty directory that `makeMountPoint` made. A directory that is not empty stays, and is an error. */
export const removeMountPoint = async (point: string): Promise<void> => {
  await run('chattr', ['-i', point], { timeoutMs, okCodes: [0, 1] });
  await rmdir(point).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
};

export const exists = async (file: string): Promise<boolean> =>
  lstat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );

/** Unlinks a file that may be gone already. */
export const removeFile = async (file: string): Promise<void> => {
  await rm(file, { force: true });
  await syncDirectory(path.dirname(file));
};
