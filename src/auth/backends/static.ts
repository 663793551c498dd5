/** One user and one password of the configuration. Another user is no match; the right user with a wrong password has failed. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { StaticOptions } from '../../config/sections/backend-options.ts';
import { ReelError } from '../../errors.ts';
import { type Backend, failure, match, noMatch } from './backend.ts';
import type { HashQueue } from './hash-queue.ts';
import { readHash, refusedBecause, type Verifier } from './password-hash.ts';

const key = randomBytes(32);
const digest = (value: string | Buffer): Buffer => createHmac('sha256', key).update(value).digest();

/** Compares digests: neither length nor place of the first difference shows in the time. */
const plainly = (password: string): Verifier => {
  const wanted = digest(password);
  return async (given) => timingSafeEqual(wanted, digest(given));
};

/** What begins like a hash and is none would never match, and nobody would know why. */
const hashed = (text: string): Verifier => {
  const verify = readHash(text);
  if (verify !== undefined) return verify;
  throw new ReelError('config-invalid', {
    expected: 'a hash of argon2, scrypt or bcrypt, or a password that does not begin like a hash',
    got: refusedBecause(text),
  });
};

export const makeStatic = ({ username, password }: StaticOptions, queue: HashQueue): Backend => {
  const hashes = /^\$[a-z0-9-]+\$/.test(password);
  const verify = hashes ? hashed(password) : plainly(password);
  const wantedUser = digest(username);
  const scope = `static ${username} ${password}`;
  return {
    asksCredentials: true,
    hashes,
    ask: async ({ credentials }) => {
      if (credentials === undefined) return noMatch('there are no credentials');
      const given = credentials.password;
      // Also for another user: the time must not tell which one exists.
      const holds = await (hashes ? queue.check(scope, given, verify) : verify(given));
      if (!timingSafeEqual(wantedUser, digest(credentials.user))) return noMatch('it is about another user');
      return holds ? match('user and password are right', { user: username }) : failure('the password is wrong');
    },
    assume: async (_request, user) => {
      if (user === undefined) return noMatch('there are no credentials');
      return user === username ? match('user and password are right', { user }) : noMatch('it is about another user');
    },
  };
};
