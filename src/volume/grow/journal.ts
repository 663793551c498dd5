import { open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { removeFile, syncDirectory } from '../directories.ts';
import { withUndo } from '../undo.ts';

const schema = Type.Object({
  layout: Type.Literal(1),
  uuid: Type.String(),
  /** Bytes of the container before and after. */
  from: Type.Integer(),
  to: Type.Integer(),
});

/** What a volume is on its way to. How far it came is never written down: that is asked of file, device and filesystem. */
export type GrowJournal = Static<typeof schema>;

const half = (file: string): string => `${file}.new`;

/** Durable on return: whole. After a failure it is whole or what was there before, and no half of it is left. */
export const writeJournal = async (file: string, journal: Omit<GrowJournal, 'layout'>): Promise<void> => {
  await withUndo(async (undo) => {
    undo.push(half(file), () => rm(half(file), { force: true }));
    const handle = await open(half(file), 'w', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify({ layout: 1, ...journal })}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(half(file), file);
  });
  await syncDirectory(path.dirname(file));
};

/** The journal of this very container; undefined where there is none, or one of a container that lay here before. */
export const readJournal = async (file: string, uuid: string): Promise<GrowJournal | undefined> => {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const json = parse(text);
  return Value.Check(schema, json) && json.uuid === uuid ? json : undefined;
};

/** Damaged text is no journal: all it could have said is asked of the world anyway. */
const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Idempotent, durable on return. */
export const removeJournal = async (file: string): Promise<void> => {
  await removeFile(half(file));
  await removeFile(file);
};
