/** A small JSON file below `.reelvault` of a volume, replaced as a whole: after a crash there is the old or the new one. */
import type { Static, TSchema } from 'typebox';
import Value from 'typebox/value';
import type { Jail } from '../datapath/jail.ts';
import { ReelError } from '../errors.ts';

export type NoteFiles = Pick<Jail, 'stat' | 'readFile' | 'writeFileAtomic'>;

/** What the file holds, or `undefined` where there is none. `archive-damaged` for anything else than `schema`; the storage's errors as they are. */
export const readNote = async <T extends TSchema>(
  files: NoteFiles,
  path: string,
  schema: T,
): Promise<Static<T> | undefined> => {
  if (files.stat(path) === null) return undefined;
  const text = (await files.readFile(path)).toString('utf8');
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    found = undefined;
  }
  if (Value.Check(schema, found)) return found;
  throw new ReelError('archive-damaged', {
    expected: `what the service has written to ${path}`,
    got: 'a file that it has not written so',
    hint: 'put the file back, or remove it',
    details: { path },
  });
};

/** Durable on return. */
export const writeNote = (files: NoteFiles, path: string, content: object): Promise<void> =>
  files.writeFileAtomic(path, Buffer.from(`${JSON.stringify(content)}\n`));
