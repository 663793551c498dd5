/** The account the daemon runs as. */
import { ReelError } from '../errors.ts';
import { run } from '../exec/run.ts';

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

const find = async (name: string): Promise<Account | undefined> => {
  const { stdout, exitCode } = await run('getent', ['passwd', name], { timeoutMs: 10_000, okCodes: [0, 2] });
  const [, , uid, gid] = stdout.toString().split(':');
  return exitCode === 0 ? { uid: Number(uid), gid: Number(gid) } : undefined;
};

/** Finds the account, or makes it as a system account that nobody can sign in to. Only root can make it. */
export const ensureServiceUser = async (name: string): Promise<Account> => {
  const present = await find(name);
  if (present !== undefined) return checkAccount(name, present);
  const facts = [
    '--system',
    '--user-group',
    '--no-create-home',
    '--home-dir',
    '/nonexistent',
    '--shell',
    '/usr/sbin/nologin',
  ];
  try {
    await run('useradd', [...facts, '--comment', 'reelvault service', name], { timeoutMs: 30_000, okCodes: [0, 9] });
  } catch (cause) {
    const hint = `make the account yourself, or name another with REELVAULT_USER`;
    throw new ReelError('config-invalid', {
      expected: `the account ${name}`,
      got: 'none, and useradd failed',
      hint,
      cause,
    });
  }
  const made = await find(name);
  if (made !== undefined) return checkAccount(name, made);
  throw new ReelError('config-invalid', { expected: `the account ${name}`, got: 'none, although useradd made it' });
};

/** A daemon that faces the network must not be root by a slip of the configuration. */
const checkAccount = (name: string, account: Account): Account => {
  if (account.uid !== 0) return account;
  throw new ReelError('config-invalid', { expected: 'a service account other than root', got: name });
};
