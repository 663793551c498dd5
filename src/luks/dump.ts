import { ReelError } from '../errors.ts';
import type { Cryptsetup } from './calls.ts';
import { parseLuks1 } from './dump-luks1.ts';
import { parseLuks2 } from './dump-luks2.ts';
import { layoutOf } from './header/header-areas.ts';
import { proveReadable } from './header/prove-readable.ts';
import { withQuietHeader } from './header/quiet-copy.ts';
import type { Header } from './header/read-header.ts';
import type { LuksDump, LuksType } from './types.ts';

/** The type of a container that cryptsetup accepts; null for anything else, a damaged one included. Throws `not-found`. */
export const isLuks = (cryptsetup: Cryptsetup, file: string): Promise<LuksType | null> =>
  withQuietHeader(file, (readable, header) => acceptedType(cryptsetup, readable, header));

const acceptedType = async (cryptsetup: Cryptsetup, file: string, header: Header): Promise<LuksType | null> => {
  if (header.type === 'none' || header.type === 'damaged') return null;
  const { type } = header;
  const accepts = async (): Promise<boolean> =>
    (await cryptsetup.call(['isLuks', '--type', type, file], { file }, [0, 1])).exitCode === 0;
  if (await accepts()) return type;
  // It refuses without a word also what it cannot read, past the cache that showed a whole header here.
  await proveReadable(file, layoutOf(header).headerBytes);
  return (await accepts()) ? type : null;
};

/** Reads the header and writes nothing. Throws `not-found`, `not-luks`, `luks-damaged`, `luks-unsupported`. */
export const dump = (cryptsetup: Cryptsetup, file: string): Promise<LuksDump> =>
  withQuietHeader(file, async (readable, header) => {
    const type = await acceptedType(cryptsetup, readable, header);
    if (type === null) throw notAccepted(file, header);
    const text = async (...options: string[]): Promise<string> => {
      const args = ['luksDump', '--type', type, ...options, readable];
      return (await cryptsetup.call(args, { file: readable })).stdout.toString('utf8');
    };
    return type === 'luks1' ? parseLuks1(await text()) : parseLuks2(await text('--dump-json-metadata'), await text());
  });

const notAccepted = (file: string, header: Header): ReelError => {
  const damaged = header.type !== 'none';
  const problem = header.type === 'damaged' ? header.problem : 'a header that cryptsetup refuses';
  return new ReelError(damaged ? 'luks-damaged' : 'not-luks', {
    expected: `a LUKS container at ${file}`,
    got: damaged ? problem : 'a file without a LUKS header',
  });
};
