import { ReelError } from '../errors.ts';
import type { Cryptsetup } from './calls.ts';
import { parseLuks1 } from './dump-luks1.ts';
import { parseLuks2 } from './dump-luks2.ts';
import { hasLuksMagic } from './magic.ts';
import type { LuksDump, LuksType } from './types.ts';

const types: readonly LuksType[] = ['luks2', 'luks1'];

/** The type of a container that cryptsetup accepts; null for anything else, a damaged one included. Throws `not-found`. */
export const isLuks = async (cryptsetup: Cryptsetup, file: string): Promise<LuksType | null> => {
  if (!(await hasLuksMagic(file))) return null;
  for (const type of types) {
    const { exitCode } = await cryptsetup.call(['isLuks', '--type', type, file], { file }, [0, 1]);
    if (exitCode === 0) return type;
  }
  return null;
};

/** Reads the header. Throws `not-found`, `not-luks`, `luks-damaged`, `luks-unsupported`. */
export const dump = async (cryptsetup: Cryptsetup, file: string): Promise<LuksDump> => {
  const type = await isLuks(cryptsetup, file);
  if (type === null) {
    const damaged = await hasLuksMagic(file);
    throw new ReelError(damaged ? 'luks-damaged' : 'not-luks', {
      expected: `a LUKS container at ${file}`,
      got: damaged ? 'a header that does not hold' : 'a file without a LUKS header',
    });
  }
  const text = async (...options: string[]): Promise<string> => {
    const { stdout } = await cryptsetup.call(['luksDump', '--type', type, ...options, file], { file });
    return stdout.toString('utf8');
  };
  return type === 'luks1' ? parseLuks1(await text()) : parseLuks2(await text('--dump-json-metadata'), await text());
};
