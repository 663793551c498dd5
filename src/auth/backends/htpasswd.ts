/** Users of a file. An unknown user is no match, so that the next role may know it; a known one with a wrong password has failed. */
import { argon2Sync, createHmac, randomBytes } from 'node:crypto';
import { type Backend, failure, match, noMatch } from './backend.ts';
import type { HashQueue } from './hash-queue.ts';
import type { PasswordFile, PasswordUser } from './password-file.ts';
import { readHash, type Verifier } from './password-hash.ts';

const base64 = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');

type Users = ReadonlyMap<string, PasswordUser>;

/** Nobody's password, to be checked where there is no user. */
const nobody = (): Verifier => {
  const [message, nonce] = [randomBytes(32), randomBytes(16)];
  const hash = argon2Sync('argon2id', { message, nonce, memory: 19 * 1024, passes: 2, parallelism: 1, tagLength: 32 });
  return readHash(`$argon2id$v=19$m=19456,t=2,p=1$${base64(nonce)}$${base64(hash)}`) as Verifier;
};

const key = randomBytes(32);

/** An unknown user costs what some known one of the file does, and always the same one: records of one file may be of several kinds. */
const standIn = (user: string, users: Users, none: PasswordUser): PasswordUser => {
  let left = createHmac('sha256', key).update(user).digest().readUInt32BE() % Math.max(users.size, 1);
  for (const known of users.values()) {
    if (left === 0) return known;
    left -= 1;
  }
  return none;
};

export const makeHtpasswd = (file: PasswordFile, queue: HashQueue): Backend => {
  const none: PasswordUser = { record: 'nobody', verify: nobody() };
  const read = async (): Promise<{ users: Users } | { unreadable: string }> => {
    try {
      return { users: await file.users() };
    } catch (error) {
      return { unreadable: (error as NodeJS.ErrnoException).code ?? 'it is damaged' };
    }
  };
  const unread = ({ unreadable }: { unreadable: string }) => failure(`the file of users cannot be read: ${unreadable}`);
  return {
    asksCredentials: true,
    hashes: true,
    ask: async ({ credentials }) => {
      if (credentials === undefined) return noMatch('there are no credentials');
      const found = await read();
      if ('unreadable' in found) return unread(found);
      const { users } = found;
      const known = users.get(credentials.user);
      const { record, verify } = known ?? standIn(credentials.user, users, none);
      const holds = await queue.check(`htpasswd ${credentials.user} ${record}`, credentials.password, verify);
      if (known === undefined) return noMatch('the file does not have the user');
      return holds
        ? match('user and password are right', { user: credentials.user })
        : failure('the password is wrong');
    },
    assume: async (_request, user) => {
      if (user === undefined) return noMatch('there are no credentials');
      const found = await read();
      if ('unreadable' in found) return unread(found);
      const { users } = found;
      return users.has(user)
        ? match('user and password are right', { user })
        : noMatch('the file does not have the user');
    },
  };
};
