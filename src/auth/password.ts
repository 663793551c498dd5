/** Passwords: generated with enough bits that no list helps, kept only as an argon2id hash. */
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(argon2);

/** Crockford's base 32: no letter that reads like a digit. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** 140 random bits as seven groups of four letters. */
export const generatePassword = (): string => {
  // 256 is a multiple of 32, so taking five bits of each byte favours no letter.
  const letters = [...randomBytes(28)].map((byte) => alphabet.charAt(byte & 31));
  return Array.from({ length: 7 }, (_, group) => letters.slice(group * 4, group * 4 + 4).join('')).join('-');
};

/** OWASP's second choice of argon2id costs; written beside each hash, so that they can be raised without a migration. */
export interface PasswordHash {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly parallelism: number;
  /** Base64. */
  readonly salt: string;
  /** Base64, 32 bytes. */
  readonly hash: string;
}

const costs = { memoryKiB: 19 * 1024, passes: 2, parallelism: 1 };

const hashWith = (password: string | Buffer, salt: Buffer, cost: typeof costs): Promise<Buffer> =>
  derive('argon2id', {
    message: password,
    nonce: salt,
    memory: cost.memoryKiB,
    passes: cost.passes,
    parallelism: cost.parallelism,
    tagLength: 32,
  });

export const hashPassword = async (password: string): Promise<PasswordHash> => {
  const salt = randomBytes(16);
  const hash = await hashWith(password, salt, costs);
  return { ...costs, salt: salt.toString('base64'), hash: hash.toString('base64') };
};

export const verifyPassword = async (password: string | Buffer, stored: PasswordHash): Promise<boolean> => {
  const wanted = Buffer.from(stored.hash, 'base64');
  const got = await hashWith(password, Buffer.from(stored.salt, 'base64'), stored);
  return wanted.length === got.length && timingSafeEqual(wanted, got);
};
