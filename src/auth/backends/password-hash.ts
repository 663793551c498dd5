/**
 * Passwords as files and configurations keep them. Read: argon2 (all three), scrypt and bcrypt in the modular form that begins with `$`, and
 * the MD5 of Icecast's own files where that is asked for. Everything else (crypt's DES, `$1$`, `$apr1$`, `$5$`, `$6$`, `{SHA}`) is refused:
 * those are worked through by a graphics card too quickly, or nothing well kept reads them.
 */
import { argon2, createHash, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { verify as verifyBcrypt } from '@node-rs/bcrypt';

const deriveArgon2 = promisify(argon2);

/** What one check of a password may cost at most: a record out of a file must not take the memory that recording needs. */
const mostMemoryKiB = 256 * 1024;
const longestBcryptCost = 16;

export type Verifier = (password: Buffer) => Promise<boolean>;

/** Undefined where the text is none of its form, or asks for more than a check may cost. */
type Reader = (text: string) => Verifier | undefined;

/** `m=19456,t=2,p=1`; NaN for what is not there. */
const costsOf = (text: string) => {
  const costs = new Map(text.split(',').map((pair) => pair.split('=') as [string, string]));
  return (name: string): number => Number(costs.get(name));
};

const within = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;

const readArgon2: Reader = (text) => {
  const parts = /^\$(argon2(?:id|i|d))\$v=19\$([mtp=,\d]+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(text);
  if (parts === null) return undefined;
  const [, kind = '', costs = '', salt = '', hash = ''] = parts;
  const [m, t, p] = ['m', 't', 'p'].map(costsOf(costs)) as [number, number, number];
  const [nonce, wanted] = [Buffer.from(salt, 'base64'), Buffer.from(hash, 'base64')];
  const good = within(m, 8, mostMemoryKiB) && within(t, 1, 64) && within(p, 1, 16);
  if (!good || nonce.length < 8 || wanted.length < 16 || wanted.length > 128) return undefined;
  return async (message) => {
    const options = { message, nonce, memory: m, passes: t, parallelism: p, tagLength: wanted.length };
    return timingSafeEqual(wanted, await deriveArgon2(kind as 'argon2id', options));
  };
};

const readScrypt: Reader = (text) => {
  const parts = /^\$scrypt\$([lnrp=,\d]+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(text);
  if (parts === null) return undefined;
  const [, costs = '', salt = '', hash = ''] = parts;
  const [ln, r, p] = ['ln', 'r', 'p'].map(costsOf(costs)) as [number, number, number];
  const wanted = Buffer.from(hash, 'base64');
  if (!(within(ln, 1, 20) && within(r, 1, 32) && within(p, 1, 16)) || wanted.length < 16) return undefined;
  const memory = 128 * 2 ** ln * r;
  if (memory > mostMemoryKiB * 1024) return undefined;
  const options = { N: 2 ** ln, r, p, maxmem: 2 * memory + 1024 * 1024 };
  return (password) =>
    new Promise((resolve, reject) => {
      scrypt(password, Buffer.from(salt, 'base64'), wanted.length, options, (error, got) =>
        error === null ? resolve(timingSafeEqual(wanted, got)) : reject(error),
      );
    });
};

const readBcrypt: Reader = (text) => {
  const parts = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(text);
  const cost = Number(parts?.[1]);
  if (parts === null || cost < 4 || cost > longestBcryptCost) return undefined;
  // The library knows 2a and 2b; what Apache calls 2y is the same as 2b.
  const hash = text.replace(/^\$2y/, '$2b');
  return (password) => verifyBcrypt(password, hash);
};

const readMd5: Reader = (text) => {
  if (!/^[0-9a-f]{32}$/i.test(text)) return undefined;
  const wanted = Buffer.from(text, 'hex');
  return async (password) => timingSafeEqual(wanted, createHash('md5').update(password).digest());
};

export const readHash = (text: string, withMd5 = false): Verifier | undefined =>
  readArgon2(text) ?? readScrypt(text) ?? readBcrypt(text) ?? (withMd5 ? readMd5(text) : undefined);

/** Why a record is refused, without quoting it. */
export const refusedBecause = (text: string): string => {
  if (/^[0-9a-f]{32}$/i.test(text))
    return 'an MD5 as Icecast writes it; set legacy_md5 to take those, or write a new hash';
  const form = /^(\$[a-z0-9-]+\$|\{[A-Za-z0-9-]+\})/.exec(text)?.[1];
  return form === undefined
    ? 'no hash that can be read'
    : `a hash of the form ${form} that is not read, or costs too much`;
};
