/** Who could put another directory in the place of one that root works in. */
import { lstat, readFile } from 'node:fs/promises';
import { ReelError } from '../errors.ts';
import { type NameOnTheWay, walkNames } from './walk-names.ts';

const sticky = 0o1000;

/** Name of a user or group as the machine's own files know it, with its number. */
const named = async (file: '/etc/passwd' | '/etc/group', id: number): Promise<string> => {
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').map((line) => line.split(':'));
  const name = lines.find(([, , number]) => number === String(id))?.[0];
  return name === undefined ? String(id) : `${name} (${id})`;
};

interface Entry {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** Who beside root and user `trusted` can rename or remove `entry` of `directory`, in words, and the command that ends it; undefined for nobody. */
const whoReplaces = async (
  directory: string,
  { uid, gid, mode }: Entry,
  entry: Entry,
  trusted: number,
): Promise<{ readonly who: string; readonly command: string } | undefined> => {
  const may = (user: number): boolean => user === 0 || user === trusted;
  if (!may(uid))
    return { who: `its owner, user ${await named('/etc/passwd', uid)}`, command: `chown root ${directory}` };
  const group = (mode & 0o020) !== 0 && gid !== 0;
  const others = (mode & 0o002) !== 0;
  if (!group && !others) return undefined;
  // In a sticky directory a name belongs to the owner of what it names, however many may write there (chmod(2), S_ISVTX).
  if ((mode & sticky) !== 0) {
    if (may(entry.uid)) return undefined;
    const who = `the owner of what lies in it, user ${await named('/etc/passwd', entry.uid)}`;
    return { who, command: `chmod go-w ${directory}` };
  }
  const who = others ? 'every user of this machine' : `the members of group ${await named('/etc/group', gid)}`;
  return { who, command: `chmod ${others ? 'go' : 'g'}-w ${directory}` };
};

const missing = (name: string, at: string, cause: unknown): ReelError =>
  new ReelError('config-invalid', {
    expected: `a directory at ${name}`,
    got: `nothing at ${at}`,
    hint: `make it (\`mkdir -p -m 755 ${name}\`), or mount the disk that it lies on: what is missing is not made, because recordings would then fill another disk`,
    cause,
    details: { directory: name },
  });

/**
 * Proves that every name on the way to `name`, those that links lead over too, can be changed by root (and user `trusted`) alone: so a path that was checked is
 * still the same when a program of root uses it. `name` itself is not looked into. Throws `config-invalid` with who could swap what, and for
 * a directory that does not exist.
 */
export const refuseReplaceable = async (name: string, trusted = 0): Promise<void> => {
  const prove = async ({ directory, at, entry }: NameOnTheWay): Promise<void> => {
    const found = await whoReplaces(directory, await lstat(directory), entry, trusted);
    if (found === undefined) return;
    throw new ReelError('config-invalid', {
      expected: `only root to be able to put something else in the place of ${at}`,
      got: `${directory}, where ${found.who} can`,
      hint: `run \`${found.command}\`, or choose another directory than ${name}`,
      details: { directory, entry: at },
    });
  };
  await walkNames(name, prove).catch((cause: NodeJS.ErrnoException) => {
    const at = cause.path ?? name;
    if (cause.code === 'ENOENT') throw missing(name, at, cause);
    if (cause.code !== 'ELOOP') throw cause;
    const got = `links in a circle at ${at}`;
    throw new ReelError('config-invalid', { expected: `a directory at ${name}`, got, cause });
  });
};
