/** The files that a proof is made of, as somebody reads them who has only them. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { ReelError } from '../../errors.ts';

/** A file or directory that was named and cannot be read. */
export const cannotRead = (what: string, cause: unknown): ReelError => {
  const { code = 'a failure' } = cause as NodeJS.ErrnoException;
  const denied = code === 'EACCES' || code === 'EPERM';
  return new ReelError(denied ? 'forbidden' : code === 'ENOENT' ? 'not-found' : 'io-error', {
    expected: `to read ${what}`,
    got: code,
    cause,
    ...(denied ? { hint: 'run it as somebody who may read the files, or on a copy of your own' } : {}),
  });
};

/** Undefined where there is none. */
export const whenThere = <T>(what: string, look: () => T): T | undefined => {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cannotRead(what, error);
  }
};

export const read = (file: string): Buffer | undefined => whenThere(file, () => readFileSync(file));

/** Names of reels without their extension: those of the file, or all below the directory. */
export const findReels = (place: string): string[] => {
  const bases = new Set<string>();
  const take = (file: string): void => {
    const { dir, name, ext } = path.parse(file);
    if (['.ts', '.idx', '.sig'].includes(ext) && !name.startsWith('.')) bases.add(path.join(dir, name));
  };
  try {
    if (!statSync(place).isDirectory()) take(place);
    else
      for (const entry of readdirSync(place, { recursive: true, withFileTypes: true }))
        if (entry.isFile()) take(path.join(entry.parentPath, entry.name));
  } catch (cause) {
    throw cannotRead(place, cause);
  }
  if (bases.size === 0)
    throw new ReelError('not-found', {
      expected: 'a reel (.ts, with its .idx and .sig beside it) or a directory of them',
      got: place,
    });
  return [...bases].sort();
};

/** The stream that the directories of an archive say, where a reel lies in such. */
export const streamOfPath = (base: string): string | undefined =>
  /([^/]+)\/\d{4}\/\d\d\/\d\d\/\d\d$/.exec(path.resolve(base))?.[1];
