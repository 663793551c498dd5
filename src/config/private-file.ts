/** Small private files of the state directory, replaced as a whole: a reader sees the old text or the new one, also after a power cut. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import path from 'node:path';

/**
 * Writes `text` (or bytes, which stay the caller's to zero) to `file` with mode 0600 (and owner, when root writes for the service user).
 * The temporary file is made with O_EXCL and renamed over the target, so a symbolic link planted in the directory is replaced and never followed. On failure the target is as before.
 */
export const replacePrivateFile = async (
  file: string,
  text: string | Buffer,
  owner?: { readonly uid: number; readonly gid: number },
): Promise<void> => {
  const directory = path.dirname(file);
  const temporary = path.join(directory, `.${path.basename(file)}.${randomBytes(8).toString('hex')}`);
  const handle = await open(
    temporary,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    try {
      await handle.writeFile(text);
      if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  const parent = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
};
