import { readFile } from 'node:fs/promises';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { replacePrivateFile } from '../../config/private-file.ts';
import { ReelError } from '../../errors.ts';

const schema = Type.Object({ layout: Type.Literal(1), device: Type.String(), uuid: Type.String() });

/** There while a volume is being made on a block device, in place of the temporary name that a file has. */
export interface DeviceJournal {
  /** As it was asked for. */
  readonly device: string;
  /** That its header gets: what bears another one is not ours to take away. */
  readonly uuid: string;
}

export const writeDeviceJournal = (file: string, journal: DeviceJournal): Promise<void> =>
  replacePrivateFile(file, `${JSON.stringify({ layout: 1, ...journal } satisfies Static<typeof schema>)}\n`);

/** Undefined where none is being made. Throws `config-invalid` for text that is no journal. */
export const readDeviceJournal = async (file: string): Promise<DeviceJournal | undefined> => {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const json: unknown = JSON.parse(text);
  if (Value.Check(schema, json)) return json;
  throw new ReelError('config-invalid', { expected: `the journal of a create in ${file}`, got: 'another form' });
};
