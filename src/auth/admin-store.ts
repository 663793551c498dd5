/** The one admin account, in `<state>/admin.json`. */
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { replacePrivateFile } from '../config/private-file.ts';
import { ReelError } from '../errors.ts';
import { generatePassword, hashPassword } from './password.ts';

const adminSchema = Type.Object({
  version: Type.Literal(1),
  user: Type.String({ minLength: 1, maxLength: 64 }),
  password: Type.Object({
    memoryKiB: Type.Integer({ minimum: 8, maximum: 4 * 1024 * 1024 }),
    passes: Type.Integer({ minimum: 1, maximum: 64 }),
    parallelism: Type.Integer({ minimum: 1, maximum: 16 }),
    salt: Type.String({ minLength: 16, maxLength: 128 }),
    hash: Type.String({ minLength: 43, maxLength: 44 }),
  }),
});

export type AdminAccount = Static<typeof adminSchema>;

const fileOf = (state: string): string => path.join(state, 'admin.json');

/** Throws `config-invalid` when the file is damaged: an account that cannot be read must not turn into one that lets everybody in. */
const readAdmin = async (state: string): Promise<AdminAccount | undefined> => {
  const file = fileOf(state);
  let account: unknown;
  try {
    account = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    // The parser's message quotes the text, and the text holds the hash: neither message nor cause goes on.
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (!Value.Check(adminSchema, account)) {
    throw new ReelError('config-invalid', {
      expected: 'the admin account',
      got: `a damaged ${file}`,
      hint: 'remove the file: the next start makes a new password',
    });
  }
  return account;
};

export const loadAdmin = async (state: string): Promise<AdminAccount> => {
  const account = await readAdmin(state);
  if (account !== undefined) return account;
  throw new ReelError('config-invalid', {
    expected: `the admin account in ${fileOf(state)}`,
    got: 'no such file',
    hint: 'start the service with `reelvault serve`, which makes it',
  });
};

/** Makes the account when there is none. The password is returned then, and only then: nothing keeps it. */
export const ensureAdmin = async (
  state: string,
  owner?: { readonly uid: number; readonly gid: number },
): Promise<{ readonly user: string; readonly password?: string }> => {
  const present = await readAdmin(state);
  if (present !== undefined) return { user: present.user };
  const password = generatePassword();
  const account: AdminAccount = { version: 1, user: 'admin', password: await hashPassword(password) };
  await replacePrivateFile(fileOf(state), `${JSON.stringify(account, null, 2)}\n`, owner);
  return { user: account.user, password };
};

/** The next `ensureAdmin` makes an account with a new password. */
export const removeAdmin = (state: string): Promise<void> => rm(fileOf(state), { force: true });
