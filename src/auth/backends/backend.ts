/** What stands behind a role: it says whether the role matches the one who asks. */
import type { RuleRequest } from '../rules/request.ts';

export type Result = 'match' | 'nomatch' | 'fail';

export interface Answer {
  readonly result: Result;
  /** For explanations and logs; never a secret. */
  readonly why: string;
  /** Who it is, where that is known. */
  readonly user?: string;
  /** For how long a player may play, from its beginning on. */
  readonly seconds?: number;
  /** For how long from now on what was shown is good. */
  readonly remainingMs?: number;
  /** To be told when the player has gone. */
  readonly client?: RemovableClient;
}

/** Somebody whose end is to be told to whoever let them in. */
export interface RemovableClient {
  removed(seconds: number): void;
}

export interface Backend {
  /** Whether other credentials could be answered differently. */
  readonly asksCredentials: boolean;
  /**
   * Whether it works out a password hash. After a wrong password the engine asks the others that do so too, for nothing: otherwise the time
   * would tell that a user of this name exists, since an unknown one is asked of all of them.
   */
  readonly hashes: boolean;
  ask(request: RuleRequest): Promise<Answer>;
  /** The answer if this user came with the right credentials. Asks nobody outside. */
  assume(request: RuleRequest, user: string | undefined): Promise<Answer>;
  /** Idempotent. */
  close?(): void;
}

export const match = (why: string, more: Omit<Answer, 'result' | 'why'> = {}): Answer => ({
  result: 'match',
  why,
  ...more,
});
export const noMatch = (why: string): Answer => ({ result: 'nomatch', why });
export const failure = (why: string): Answer => ({ result: 'fail', why });

/** What `on_error` says of somebody who could not be asked about. */
export const unasked = (onError: 'deny' | 'next' | 'allow', why: string): Answer => {
  if (onError === 'allow') return match(`${why}; on_error is allow`);
  return onError === 'next' ? noMatch(`${why}; on_error is next`) : failure(`${why}; on_error is deny`);
};
