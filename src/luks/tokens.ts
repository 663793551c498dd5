import { ReelError } from '../errors.ts';
import type { Cryptsetup } from './calls.ts';
import { dump } from './dump.ts';
import type { LuksDump, Token } from './types.ts';

/** Our token's type and place in a LUKS2 header; other tools keep to the low numbers. */
const guardType = 'reelvault';
const guardId = 31;

/**
 * How far the making of a volume got. `mkfs` runs only while this says `created`: a container whose filesystem cannot be read
 * is never taken for a new one.
 */
export type GuardState = 'created' | 'formatted';

/** Writes a token (LUKS2 only). With `id`, that place is taken over; returns the place. */
export const importToken = async (
  cryptsetup: Cryptsetup,
  file: string,
  body: Readonly<Record<string, unknown>> & { readonly type: string; readonly keyslots: readonly string[] },
  id?: number,
): Promise<number> => {
  const { type, tokens } = await dump(cryptsetup, file);
  if (type === 'luks1') throw new ReelError('luks-unsupported', { expected: 'LUKS2 for tokens', got: 'LUKS1' });
  const place = id === undefined ? [] : ['--token-id', String(id)];
  const replace = tokens.some((token) => token.id === id) ? ['--token-replace'] : [];
  const json = Buffer.from(JSON.stringify(body));
  const args = ['token', 'import', '--json-file', '-', ...place, ...replace, file];
  const { stdout } = await cryptsetup.withInput(args, json, { file });
  return Number(/^Token (\d+) created\.$/m.exec(stdout.toString('utf8'))?.[1] ?? id);
};

/** The token at `id`. Throws `not-found`. */
export const exportToken = async (cryptsetup: Cryptsetup, file: string, id: number): Promise<Token> => {
  const token = (await dump(cryptsetup, file)).tokens.find((candidate) => candidate.id === id);
  if (token === undefined) throw new ReelError('not-found', { expected: `token ${id} in ${file}`, got: 'none' });
  return token;
};

export const removeToken = async (cryptsetup: Cryptsetup, file: string, id: number): Promise<void> => {
  await exportToken(cryptsetup, file, id);
  await cryptsetup.call(['token', 'remove', '--token-id', String(id), file], { file });
};

export const writeGuard = async (cryptsetup: Cryptsetup, file: string, state: GuardState): Promise<void> => {
  await importToken(cryptsetup, file, { type: guardType, keyslots: [], state }, guardId);
};

/** The guard in a header; null where there is none (foreign containers, LUKS1): then nothing may be formatted. */
export const guardOf = (header: LuksDump): GuardState | null => {
  const state = header.tokens.find((token) => token.type === guardType)?.body.state;
  return state === 'created' || state === 'formatted' ? state : null;
};
