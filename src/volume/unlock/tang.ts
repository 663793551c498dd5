/** The advertisement of a Tang server: its public keys, which somebody has to trust once. */
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { ReelError, toReelError } from '../../errors.ts';
import { fetchSmall } from './clevis.ts';
import { thumbprint } from './jwe.ts';
import { tangUrl } from './tang-url.ts';
import type { Unattended } from './way.ts';

/** A JWS, with one signature or several. */
const advertisementSchema = Type.Object({ payload: Type.String() });
const keysSchema = Type.Object({
  keys: Type.Array(Type.Object({ key_ops: Type.Optional(Type.Array(Type.String())) }), { maxItems: 64 }),
});

export interface Advertisement {
  readonly url: string;
  /** As the server sent it; Clevis checks its signatures. */
  readonly jws: Static<typeof advertisementSchema>;
  /** Of the keys that sign. One of them is to be compared with what the server's admin says. */
  readonly thumbprints: readonly string[];
  readonly exchangeKeys: readonly string[];
}

const unavailable = (url: string, got: string, cause?: unknown): ReelError =>
  new ReelError('tang-unavailable', {
    expected: `an advertisement at ${url}/adv`,
    got,
    hint: 'see whether the Tang server runs and this machine reaches it',
    cause,
  });

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Throws `invalid-argument`, `tang-unavailable`. */
export const advertisementOf = async (unattended: Unattended, base: string): Promise<Advertisement> => {
  const url = tangUrl(base);
  const answer = await fetchSmall(unattended, `${url}/adv`).catch((thrown: unknown) => {
    const error = toReelError(thrown);
    throw error.code === 'command-missing' ? error : unavailable(url, error.parts.got, error);
  });
  const jws = parse(answer.toString('utf8'));
  if (!Value.Check(advertisementSchema, jws)) throw unavailable(url, 'something else');
  const payload = parse(Buffer.from(jws.payload, 'base64url').toString('utf8'));
  if (!Value.Check(keysSchema, payload)) throw unavailable(url, 'something without keys');
  const keysFor = (use: string): string[] =>
    payload.keys.filter((key) => key.key_ops?.includes(use)).flatMap((key) => thumbprint(key) ?? []);
  const [thumbprints, exchangeKeys] = [keysFor('verify'), keysFor('deriveKey')];
  if (thumbprints.length === 0 || exchangeKeys.length === 0) throw unavailable(url, 'no keys that Clevis could use');
  return { url, jws, thumbprints, exchangeKeys };
};

/** Throws `tang-untrusted` unless the trusted key is among those that sign. */
export const proveTrusted = ({ url, thumbprints }: Advertisement, trusted: string): void => {
  if (thumbprints.includes(trusted)) return;
  throw new ReelError('tang-untrusted', {
    expected: `${url} to be signed by the key ${trusted}`,
    got: thumbprints.join(', '),
    hint: 'compare the thumbprint with what `tang-show-keys` prints on the server',
    details: { url, thumbprints },
  });
};
