/** The rules at work: asked for each request, exchanged as a whole, and what they let in is kept count of. */
import { ReelError } from '../../errors.ts';
import { HashQueue } from '../backends/hash-queue.ts';
import { AttemptLimiter } from '../limiter.ts';
import { type CompileParams, closeRules, compileRules, everyRule } from './compile.ts';
import { told } from './decision.ts';
import { type Assumption, type Decision, decide, type Rule, type RuleLists, rulesFor } from './engine.ts';
import type { RuleRequest } from './request.ts';
import { type Entered, type SessionFacts, Sessions } from './sessions.ts';

export interface AccessControlParams extends Omit<CompileParams, 'queue'> {
  /** The sections of the configuration that hold rules; see `accessRulesSchema`. */
  readonly rules: unknown;
  /** Milliseconds that only go forward. */
  readonly elapsed?: () => number;
  /** Wrong passwords an address may try at once, and how often one more is allowed. */
  readonly attempts?: number;
  readonly refillMs?: number;
  /** After so long without a request a player has gone. */
  readonly idleMs?: number;
}

const tooMany = (waitMs: number): ReelError => {
  const seconds = Math.ceil(waitMs / 1000);
  return new ReelError('too-many-attempts', {
    expected: 'no more sign-in attempts from this address for now',
    got: 'another one',
    hint: `try again in ${seconds} s`,
    details: { retryAfterSeconds: seconds },
  });
};

/** Whether nobody can have learned from the answer that a password is right, so that it does not count as an attempt. */
const wasNoGuess = ({ outcome, known }: Decision): boolean => outcome === 'allowed' || outcome === 'undecided' || known;

/** Names that stand for no route: Icecast's for playlists, which are web here, and that of what no route answers. */
const otherCommands = ['buildm3u', 'unknown'];

const checkCommands = (lists: RuleLists, known: ReadonlySet<string>): void => {
  const all = [...known, ...otherCommands];
  const isKnown = (word: string): boolean =>
    word === '*' ||
    all.includes(word) ||
    (word.endsWith('/*') && all.some((name) => name.startsWith(word.slice(0, -1))));
  const unknown = everyRule(lists).flatMap(({ commands }) => commands.filter((word) => !isKnown(word)));
  if (unknown.length === 0) return;
  throw new ReelError('config-invalid', {
    expected: 'commands of the API in match_admin, nomatch_admin, allow_admin and deny_admin',
    got: [...new Set(unknown)].join(', '),
    hint: `there are ${[...known].sort().join(', ')}`,
  });
};

export class AccessControl {
  readonly #compile: CompileParams;
  readonly #limiter: AttemptLimiter;
  readonly #sessions: Sessions;
  #lists: RuleLists;
  #rules: readonly Rule[];
  #commands: ReadonlySet<string> | undefined;

  /** Throws `config-invalid`. */
  constructor(params: AccessControlParams) {
    const { now, attempts = 10, refillMs = 6000, idleMs, elapsed = () => performance.now() } = params;
    this.#compile = { ...params, queue: new HashQueue({ now }) };
    this.#limiter = new AttemptLimiter({ attempts, refillMs, addresses: 10_000, now });
    this.#sessions = new Sessions({ elapsed, ...(idleMs === undefined ? {} : { idleMs }) });
    this.#lists = compileRules(params.rules, this.#compile);
    this.#rules = everyRule(this.#lists);
  }

  /** Says which commands the API has. Throws `config-invalid` where rules name others: those would allow or deny nothing. */
  know(commands: ReadonlySet<string>): void {
    this.#commands = commands;
    checkCommands(this.#lists, commands);
  }

  /** From the next request on. Throws `config-invalid`, and the former rules hold on. */
  replace(rules: unknown): void {
    const [former, lists] = [this.#lists, compileRules(rules, this.#compile)];
    if (this.#commands !== undefined) checkCommands(lists, this.#commands);
    this.#lists = lists;
    this.#rules = everyRule(lists);
    closeRules(former);
  }

  /** Whether there is no rule at all. */
  get isEmpty(): boolean {
    return this.#rules.length === 0 && this.#lists.global === undefined;
  }

  /** Whether there is any rule about the request; if not, the service's own rules count. */
  concerns(request: Pick<RuleRequest, 'listener' | 'stream'>): boolean {
    return this.#lists.global !== undefined || rulesFor(this.#lists, request).length > 0;
  }

  /** Throws `too-many-attempts`. An address that is blocked is not told whether it was right. */
  async decide(request: RuleRequest): Promise<Decision> {
    if (request.credentials === undefined) return decide(this.#lists, request);
    const waitMs = this.#limiter.take(request.address);
    if (waitMs > 0) throw tooMany(waitMs);
    const decision = await decide(this.#lists, request);
    if (wasNoGuess(decision)) this.#limiter.refund(request.address);
    return decision;
  }

  /** What would come of the request if that user came with the right credentials. */
  explain(request: RuleRequest, assumption: Assumption): Promise<Decision> {
    return decide(this.#lists, request, assumption);
  }

  /** Counts a request that was allowed. Throws `too-many-connections`, or `forbidden` when the player's time is over. */
  enter(decision: Decision, facts: Pick<SessionFacts, 'kind' | 'stream' | 'address' | 'agent'>): Entered | undefined {
    const { rule, user, seconds, remainingMs, client } = decision;
    if (rule === undefined) return undefined;
    const { connectionsPerUser } = rule;
    const limits = { connectionsPerUser, seconds, remainingMs };
    if (client === undefined && Object.values(limits).every((limit) => limit === undefined)) return undefined;
    const entered = this.#sessions.enter({ ...facts, rule: told(rule), user }, limits, client);
    if (entered === 'too many connections')
      throw new ReelError('too-many-connections', {
        expected: `at most ${connectionsPerUser} connections of this user at once`,
        got: 'one more',
        hint: 'end another one first; it counts until half a minute after its last request',
      });
    if (entered === 'full')
      throw new ReelError('too-many-connections', { expected: 'fewer connections in all', got: 'one more' });
    if (entered === 'time is over')
      throw new ReelError('forbidden', { expected: 'a request within the time that is allowed', got: 'one after it' });
    return entered;
  }

  /** Idempotent. */
  close(): void {
    this.#sessions.close();
    closeRules(this.#lists);
  }
}
