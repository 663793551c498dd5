/** Small private files of the state directory, replaced as a whole: a reader sees the old text or the new one, also after a power cut. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, rename, unlink } from 'node:fs/promises';
import path from 'node:path';

export interface StagedFile {
  /** Puts it in the place of the file. On failure the file is as before. */
  commit(): Promise<void>;
  /** The file stays as it is. */
  abandon(): Promise<void>;
}

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

const temporaryName = (file: string): string => `.${path.basename(file)}.${randomBytes(8).toString('hex')}`;

const syncDirectory = async (directory: string): Promise<void> => {
  const parent = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
};

/**
 * Writes `text` (or bytes, which stay the caller's to zero) beside `file`, durable, with mode 0600 or the one that is given (and owner, when root
 * writes for the service user). It is made with O_EXCL and renamed over the target, so a symbolic link planted in the directory is replaced and never followed.
 */
export const stagePrivateFile = async (
  file: string,
  text: string | Buffer,
  { owner, mode = 0o600 }: { readonly owner?: FileOwner | undefined; readonly mode?: number } = {},
): Promise<StagedFile> => {
  const directory = path.dirname(file);
  const temporary = path.join(directory, temporaryName(file));
  const abandon = (): Promise<void> => unlink(temporary).catch(() => undefined);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(temporary, flags, 0o600);
  try {
    try {
      await handle.writeFile(text);
      if (mode !== 0o600) await handle.chmod(mode);
      if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    await abandon();
    throw error;
  }
  return {
    abandon,
    commit: async () => {
      try {
        await rename(temporary, file);
      } catch (error) {
        await abandon();
        throw error;
      }
      await syncDirectory(directory);
    },
  };
};

/** Both steps in one. On failure the target is as before. */
export const replacePrivateFile = async (file: string, text: string | Buffer, owner?: FileOwner): Promise<void> => {
  const staged = await stagePrivateFile(file, text, { owner });
  await staged.commit();
};

/** What a process left that was killed before its commit. Nobody else may be writing the file. */
export const removeStaged = async (file: string): Promise<void> => {
  const directory = path.dirname(file);
  const start = `.${path.basename(file)}.`;
  const left = (await readdir(directory)).filter(
    (name) => name.startsWith(start) && /^[0-9a-f]{16}$/.test(name.slice(start.length)),
  );
  await Promise.all(left.map((name) => unlink(path.join(directory, name))));
};
