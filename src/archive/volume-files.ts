/** The files of one open volume, as the archive uses them: the volume's jail. */
import type { Jail } from '../datapath/jail.ts';
import { ReelError } from '../errors.ts';

export type VolumeFiles = Pick<
  Jail,
  'fd' | 'mkdirp' | 'open' | 'readdir' | 'readFile' | 'rename' | 'stat' | 'syncDirectory' | 'unlink' | 'writeFileAtomic'
>;

/** The result of `look`, or `otherwise` where what it looks for does not exist. */
export const whenMissing = <T>(look: () => T, otherwise: T): T => {
  try {
    return look();
  } catch (error) {
    if (error instanceof ReelError && ['ENOENT', 'ENOTDIR'].includes(String(error.details.errno))) return otherwise;
    throw error;
  }
};
