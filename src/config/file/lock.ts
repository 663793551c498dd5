/** `<config>.locked`: while it is there, nothing is changed through the API. Who may make it has a shell on the machine. */
import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { ReelError } from '../../errors.ts';

export interface ConfigLock {
  readonly file: string;
  /** ISO 8601. */
  readonly since: string;
  /** Of the account that made it. */
  readonly uid: number;
  /** Its first line: what somebody wrote there to say why; null for an empty one. */
  readonly reason: string | null;
}

const longestReason = 200;

/** Of something else than a readable file: no reason. */
const reasonIn = async (file: string): Promise<string | null> => {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(longestReason), 0, longestReason, 0);
      const [line = ''] = buffer.toString('utf8', 0, bytesRead).split('\n');
      const plain = line.replaceAll(/[^\x20-\x7e\u00a0-\ud7ff]/g, '').trim();
      return plain === '' ? null : plain;
    } finally {
      await handle.close();
    }
  } catch {
    return null;
  }
};

/** Undefined where it is not locked. What is there locks, whatever it is; so does a doubt. */
export const configLock = async (config: string): Promise<ConfigLock | undefined> => {
  const file = `${config}.locked`;
  try {
    const { mtime, uid } = await lstat(file);
    return { file, since: mtime.toISOString(), uid, reason: await reasonIn(file) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};

export const lockedError = ({ file, since, uid, reason }: ConfigLock): ReelError =>
  new ReelError('config-locked', {
    expected: 'a configuration that may be changed from here',
    got: `${file}, made by user ${uid} at ${since}${reason === null ? '' : ` (${reason})`}`,
    hint: 'remove that file on the machine, or edit the configuration there: changes of the file itself are taken up',
    details: { file, since, uid, reason },
  });
