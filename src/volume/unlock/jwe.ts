/** What a Clevis binding says about itself: the protected header of its JWE, which a stranger may have written. */
import { createHash } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { ReelError } from '../../errors.ts';
import { tangUrl } from './tang-url.ts';

export type Pin = 'tang' | 'tpm2' | 'sss';

/** As it lies in a token: the parts of the compact form under their names. */
export const jweSchema = Type.Object({
  protected: Type.String(),
  encrypted_key: Type.Optional(Type.String()),
  iv: Type.String(),
  ciphertext: Type.String(),
  tag: Type.String(),
});
export type Jwe = Static<typeof jweSchema>;

/** Words that reach the command line of tpm2-tools. */
const word = Type.Optional(Type.String({ pattern: '^[a-z0-9,_]*$', maxLength: 200 }));
const headerSchema = Type.Object({
  kid: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]+$', maxLength: 200 })),
  clevis: Type.Object({
    pin: Type.String(),
    tang: Type.Optional(Type.Object({ url: Type.String() })),
    tpm2: Type.Optional(Type.Object({ hash: word, key: word, pcr_bank: word, pcr_ids: word })),
    sss: Type.Optional(Type.Object({ t: Type.Integer(), jwe: Type.Array(Type.String(), { maxItems: 16 }) })),
  }),
});

export interface BindingFacts {
  readonly pin: Pin;
  /** In words for people: `tang http://host`, `tpm2 sha256:7`. */
  readonly text: string;
  /** Of Tang: the thumbprint of the server's exchange key. */
  readonly exchangeKey: string | null;
  readonly url: string | null;
  readonly pcrs: string | null;
}

const damaged = (got: string): ReelError =>
  new ReelError('luks-damaged', { expected: 'a Clevis binding of the pins tang, tpm2 and sss', got });

const deepest = 3;

/** Throws `luks-damaged` for anything that must not be handed to Clevis: its scripts trust what a header says. */
export const factsOf = (protectedHeader: string, depth = 0): BindingFacts => {
  let header: unknown;
  try {
    header = JSON.parse(Buffer.from(protectedHeader, 'base64url').toString('utf8'));
  } catch {
    throw damaged('a header that is not JSON');
  }
  if (!Value.Check(headerSchema, header)) throw damaged('a header of another form');
  const { kid, clevis } = header;
  const { tang, tpm2, sss } = clevis;
  const none = { exchangeKey: null, url: null, pcrs: null };
  if (clevis.pin === 'tang' && tang !== undefined && kid !== undefined) {
    const url = tangUrl(tang.url);
    return { ...none, pin: 'tang', text: `tang ${url}`, exchangeKey: kid, url };
  }
  if (clevis.pin === 'tpm2' && tpm2 !== undefined) {
    const pcrs = tpm2.pcr_ids === undefined || tpm2.pcr_ids === '' ? null : tpm2.pcr_ids;
    return { ...none, pin: 'tpm2', text: pcrs === null ? 'tpm2' : `tpm2 ${tpm2.pcr_bank ?? ''}:${pcrs}`, pcrs };
  }
  if (clevis.pin === 'sss' && sss !== undefined && depth < deepest) {
    const parts = sss.jwe.map((each) => factsOf(each.split('.')[0] ?? '', depth + 1).text);
    return { ...none, pin: 'sss', text: `${sss.t} of (${parts.join(', ')})` };
  }
  throw damaged(`the pin ${JSON.stringify(clevis.pin).slice(0, 40)}`);
};

const base64url = /^[A-Za-z0-9_-]*$/;

/** The form that Clevis reads and writes. Throws `luks-damaged`. */
export const toCompact = (jwe: Jwe): Buffer => {
  const parts = [jwe.protected, jwe.encrypted_key ?? '', jwe.iv, jwe.ciphertext, jwe.tag];
  if (!parts.every((part) => base64url.test(part))) throw damaged('characters that are not base64url');
  return Buffer.from(parts.join('.'));
};

export const fromCompact = (text: string): Jwe => {
  const parts = text.trim().split('.');
  const [header = '', encryptedKey = '', iv = '', ciphertext = '', tag = ''] = parts;
  if (parts.length !== 5 || !parts.every((part) => base64url.test(part))) {
    throw new ReelError('internal', { expected: 'a JWE from clevis', got: 'another form' });
  }
  return { ciphertext, encrypted_key: encryptedKey, iv, protected: header, tag };
};

/** RFC 7638, SHA-256: how people compare keys of Tang. Undefined for keys that are not elliptic. */
export const thumbprint = (key: Readonly<Record<string, unknown>>): string | undefined => {
  const { crv, kty, x, y } = key;
  if (kty !== 'EC' || ![crv, x, y].every((part) => typeof part === 'string')) return undefined;
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
};
