/** The files of one open volume, as the archive uses them: the volume's jail. */
import type { Jail } from '../datapath/jail.ts';
import { ReelError } from '../errors.ts';

export type VolumeFiles = Pick<
  Jail,
  'fd' | 'mkdirp' | 'open' | 'readdir' | 'readFile' | 'rename' | 'stat' | 'syncDirectory' | 'unlink' | 'writeFileAtomic'
>;

/** What a disk, the filesystem on it, or the permissions of a file say where it cannot be given back. */
const unreadable = new Set(['EIO', 'EUCLEAN', 'EBADMSG', 'ENODATA', 'EILSEQ', 'EACCES', 'EPERM']);

/** Whether one file or directory could not be had: as it comes from a system call, or as one of ours. */
export const isUnreadable = (error: unknown): boolean => {
  const errno = error instanceof ReelError ? error.details.errno : (error as NodeJS.ErrnoException).code;
  return unreadable.has(String(errno));
};

/** The result of `look`, or `otherwise` where what it looks for does not exist. */
export const whenMissing = <T>(look: () => T, otherwise: T): T => {
  try {
    return look();
  } catch (error) {
    if (error instanceof ReelError && ['ENOENT', 'ENOTDIR'].includes(String(error.details.errno))) return otherwise;
    throw error;
  }
};

/** Whether something is at `path`, also what cannot be read. */
export const isThere = (files: Pick<VolumeFiles, 'stat'>, path: string): boolean => {
  try {
    return files.stat(path) !== null;
  } catch (error) {
    if (isUnreadable(error)) return true;
    throw error;
  }
};

/** Names in directories beneath the volume's root; none where a directory does not exist. */
export type ListNames = (path: string) => readonly string[];

/** One of a stream that cannot be read is passed over, and told to `onUnreadable`: it must not take the others along. */
export const lister =
  (
    files: Pick<VolumeFiles, 'readdir'>,
    onUnreadable: (path: string, error: unknown) => void,
    onRead: (path: string) => void = () => {},
  ): ListNames =>
  (path) => {
    try {
      const entries = whenMissing(() => files.readdir(path), []);
      onRead(path);
      return entries.map(({ name }) => name);
    } catch (error) {
      if (!isUnreadable(error) || !path.startsWith('dvr/')) throw error;
      onUnreadable(path, error);
      return [];
    }
  };
