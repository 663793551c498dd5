/**
 * Icecast 2.5's model. The roles of the listen socket are tried first, then those of the stream, of the default stream, and the global ones. The
 * first role whose filters match and whose backend does not say "no match" decides: on a match by what it allows, on a failure by denying.
 * Where nobody decided the request is rejected.
 */
import type { Backend, RemovableClient } from '../backends/backend.ts';
import { type Outcome, type RoleName, type Step, told } from './decision.ts';
import type { Filter } from './filter.ts';
import type { Permissions } from './permissions.ts';
import type { RuleRequest } from './request.ts';

export interface ResponseHeader {
  readonly name: string;
  readonly value: string;
  readonly status?: number;
}

export interface Rule extends RoleName {
  readonly filter: Filter;
  readonly permissions: Permissions;
  readonly backend: Backend;
  readonly headers: readonly ResponseHeader[];
  /** Commands of the API that it names. */
  readonly commands: readonly string[];
  /** Undefined: as many and as long as anybody likes. */
  readonly connectionsPerUser: number | undefined;
  readonly connectionSeconds: number | undefined;
}

/** The lists that stand for a request, by where they stand. */
export interface RuleLists {
  readonly listeners: ReadonlyMap<string, readonly Rule[]>;
  readonly streams: ReadonlyMap<string, readonly Rule[]>;
  readonly defaultStream: readonly Rule[];
  /** Undefined: no such list, which is another thing than an empty one. */
  readonly global: readonly Rule[] | undefined;
}

export interface Decision {
  readonly outcome: Outcome;
  readonly why: string;
  readonly steps: readonly Step[];
  /** The role that decided. */
  readonly rule: Rule | undefined;
  readonly user: string | undefined;
  /** Whether the credentials that came were found good. */
  readonly known: boolean;
  /** The shorter one of the role's limit and the backend's. */
  readonly seconds: number | undefined;
  /** From now on. */
  readonly remainingMs: number | undefined;
  readonly client: RemovableClient | undefined;
}

/** In place of credentials: whose right credentials are to be assumed, undefined for somebody without. */
export interface Assumption {
  readonly user: string | undefined;
}

const nobody = {
  rule: undefined,
  user: undefined,
  known: false,
  seconds: undefined,
  remainingMs: undefined,
  client: undefined,
};

const shorter = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined ? other : Math.min(one, other ?? one);

export const rulesFor = (lists: RuleLists, { listener, stream }: Pick<RuleRequest, 'listener' | 'stream'>): Rule[] => [
  ...(listener === undefined ? [] : (lists.listeners.get(listener) ?? [])),
  ...(stream === undefined ? [] : [...(lists.streams.get(stream) ?? []), ...lists.defaultStream]),
  ...(lists.global ?? []),
];

/** After a wrong password: the work that an unknown user would have caused. */
const workOn = async (rest: readonly Rule[], request: RuleRequest): Promise<void> => {
  for (const { backend, filter } of rest) {
    if (backend.hashes && filter(request) === undefined) await backend.ask(request);
  }
};

export const decide = async (lists: RuleLists, request: RuleRequest, assumption?: Assumption): Promise<Decision> => {
  const rules = rulesFor(lists, request);
  const steps: Step[] = [];
  let credentialsMightHelp = false;
  for (const [index, rule] of rules.entries()) {
    const { level, place, type, name, backend } = rule;
    const step = (result: Step['result'], why: string): void =>
      void steps.push({ level, place, type, name, result, why });
    const filtered = rule.filter(request);
    if (filtered !== undefined) {
      step('filtered', filtered);
      continue;
    }
    const answer = await (assumption === undefined ? backend.ask(request) : backend.assume(request, assumption.user));
    step(answer.result, answer.why);
    if (answer.result === 'nomatch') {
      credentialsMightHelp ||= backend.asksCredentials;
      continue;
    }
    if (answer.result === 'fail') {
      if (assumption === undefined && backend.hashes) await workOn(rules.slice(index + 1), request);
      const outcome = backend.asksCredentials ? 'unauthorized' : 'forbidden';
      return { ...nobody, outcome, why: `${told(rule)} failed: ${answer.why}`, steps, rule };
    }
    const { allowed, why } = rule.permissions(request);
    const denied = credentialsMightHelp && !backend.asksCredentials ? 'unauthorized' : 'forbidden';
    return {
      outcome: allowed ? 'allowed' : denied,
      why: `${told(rule)} ${allowed ? 'allows' : 'denies'} it: ${why}`,
      steps,
      rule,
      user: answer.user,
      known: backend.asksCredentials,
      seconds: shorter(rule.connectionSeconds, answer.seconds),
      remainingMs: answer.remainingMs,
      client: answer.client,
    };
  }
  if (lists.global === undefined) {
    const why = 'no role matched, and there is no global list: the rules of the service itself count';
    return { ...nobody, outcome: 'undecided', why, steps };
  }
  return { ...nobody, outcome: credentialsMightHelp ? 'unauthorized' : 'forbidden', why: 'no role matched', steps };
};
