/** Checks HTTP Basic credentials (RFC 7617) against the admin account. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { ReelError } from '../errors.ts';
import type { AdminAccount } from './admin-store.ts';
import { basicCredentials } from './credentials.ts';
import { AttemptLimiter } from './limiter.ts';
import { verifyPassword } from './password.ts';

export interface BasicAuthParams {
  readonly account: AdminAccount;
  readonly now: () => number;
  /** Wrong passwords an address may try at once, and how often one more is allowed. */
  readonly attempts?: number;
  readonly refillMs?: number;
}

export class BasicAuth {
  readonly #account: AdminAccount;
  readonly #limiter: AttemptLimiter;
  /** Ties the cache to this process: what lies in its memory is useless elsewhere. */
  readonly #key = randomBytes(32);
  /** Digest of the credentials that were verified; argon2 then does not run for each request. There is one account, hence one entry. */
  #verified: Buffer | undefined;
  /** Hashing is queued: many guesses at once must not take memory and threads from the recorder. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(params: BasicAuthParams) {
    this.#account = params.account;
    this.#limiter = new AttemptLimiter({
      attempts: params.attempts ?? 10,
      refillMs: params.refillMs ?? 6000,
      addresses: 10_000,
      now: params.now,
    });
  }

  /**
   * Resolves with the user's name. Throws `unauthorized` for missing or wrong credentials (the same words and the same work for a wrong name
   * as for a wrong password) and `too-many-attempts` when the address has failed too often; a blocked address is not told whether it was right.
   */
  async check(header: string | undefined, address: string): Promise<string> {
    if (header === undefined) throw unauthorized('no credentials');
    const waitMs = this.#limiter.take(address);
    if (waitMs > 0) {
      throw new ReelError('too-many-attempts', {
        expected: 'no more sign-in attempts from this address for now',
        got: 'another one',
        hint: `try again in ${Math.ceil(waitMs / 1000)} s`,
        details: { retryAfterSeconds: Math.ceil(waitMs / 1000) },
      });
    }
    const credentials = parseBasic(header);
    const digest = this.#digest(`${credentials.user}\0${credentials.password}`);
    const known = this.#verified !== undefined && timingSafeEqual(this.#verified, digest);
    if (!known && !(await this.#verify(credentials))) throw unauthorized('a wrong user name or password');
    this.#verified = digest;
    this.#limiter.refund(address);
    return this.#account.user;
  }

  #verify(credentials: { user: string; password: string }): Promise<boolean> {
    const result = this.#queue.then(async () => {
      const passwordHolds = await verifyPassword(credentials.password, this.#account.password);
      const userHolds = timingSafeEqual(this.#digest(credentials.user), this.#digest(this.#account.user));
      return passwordHolds && userHolds;
    });
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #digest(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text).digest();
  }
}

const unauthorized = (got: string): ReelError =>
  new ReelError('unauthorized', { expected: 'the credentials of the admin', got });

/** What does not parse becomes empty credentials: they fail like any wrong ones. */
const parseBasic = (header: string): { user: string; password: string } => {
  const { user, password } = basicCredentials(header);
  const text = password.toString('utf8');
  password.fill(0);
  return { user, password: text };
};
