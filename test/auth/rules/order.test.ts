/** The order of evaluation against a plain model, written from the words of the guide and of docs/access-rules.md. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileRules } from '../../../src/auth/rules/compile.ts';
import { decide } from '../../../src/auth/rules/engine.ts';
import { params, webRequest } from './support.ts';

type Yes = '*' | boolean | undefined;

interface ModelRole {
  readonly type: 'anonymous' | 'static' | 'enforce-auth';
  readonly options?: { readonly username: string; readonly password: string };
  readonly match_method?: string[];
  readonly nomatch_method?: string[];
  readonly match_admin?: string[];
  readonly nomatch_admin?: string[];
  readonly match_origin?: string[];
  readonly nomatch_origin?: string[];
  readonly match_web?: Yes;
  readonly nomatch_web?: Yes;
  readonly allow_method?: string[];
  readonly deny_method?: string[];
  readonly allow_admin?: string[];
  readonly deny_admin?: string[];
  readonly allow_web?: Yes;
  readonly deny_web?: Yes;
  readonly allow_all?: Yes;
  readonly deny_all?: Yes;
}

interface ModelRequest {
  readonly method: string;
  readonly command: string | undefined;
  readonly origin: string | undefined;
  readonly stream: string | undefined;
  readonly listener: string | undefined;
  readonly as: readonly [string, string] | undefined;
}

interface ModelRules {
  readonly listeners?: Record<string, { authentication: ModelRole[] }>;
  readonly streams?: Record<string, { authentication: ModelRole[] }>;
  readonly default_stream?: { authentication: ModelRole[] };
  readonly authentication?: ModelRole[];
}

const has = (list: readonly string[] | undefined, word: string): boolean => list?.includes(word) === true;

const passes = (match: string[] | undefined, nomatch: string[] | undefined, value: string | undefined): boolean => {
  if (value !== undefined && has(nomatch, value)) return false;
  if (value !== undefined && has(match, value)) return true;
  if (has(nomatch, '*')) return false;
  if (has(match, '*')) return true;
  return match === undefined;
};

const allows = (
  allow: string[] | undefined,
  deny: string[] | undefined,
  all: boolean | undefined,
  byDefault: string[],
  value: string,
): boolean => {
  if (has(deny, value)) return false;
  if (has(allow, value)) return true;
  if (has(deny, '*')) return false;
  if (has(allow, '*')) return true;
  return all ?? byDefault.includes(value);
};

const side = (yes: Yes, no: Yes): boolean | undefined =>
  no === undefined ? (yes === undefined ? undefined : yes === '*' || yes) : no === false;

const filtersMatch = (role: ModelRole, request: ModelRequest): boolean =>
  passes(role.match_method, role.nomatch_method, request.method) &&
  passes(role.match_origin, role.nomatch_origin, request.origin) &&
  (request.command === undefined
    ? (side(role.match_web, role.nomatch_web) ?? true)
    : passes(role.match_admin, role.nomatch_admin, request.command));

const backendSays = ({ type, options }: ModelRole, { as }: ModelRequest): 'positive' | 'negative' | 'no match' => {
  if (type === 'anonymous') return 'positive';
  if (type === 'enforce-auth') return as === undefined ? 'negative' : 'no match';
  if (as === undefined || as[0] !== options?.username) return 'no match';
  return as[1] === options.password ? 'positive' : 'negative';
};

const permits = (role: ModelRole, { method, command }: ModelRequest): boolean => {
  const all = side(role.allow_all, role.deny_all);
  if (!allows(role.allow_method, role.deny_method, all, ['GET', 'OPTIONS'], method)) return false;
  if (command === undefined) return side(role.allow_web, role.deny_web) ?? all ?? true;
  return allows(role.allow_admin, role.deny_admin, all, ['buildm3u'], command);
};

const model = (rules: ModelRules, request: ModelRequest): 'allowed' | 'denied' | 'undecided' => {
  const lists = [
    request.listener === undefined ? undefined : rules.listeners?.[request.listener]?.authentication,
    request.stream === undefined ? undefined : rules.streams?.[request.stream]?.authentication,
    request.stream === undefined ? undefined : rules.default_stream?.authentication,
    rules.authentication,
  ];
  for (const list of lists) {
    for (const role of list ?? []) {
      if (!filtersMatch(role, request)) continue;
      const answer = backendSays(role, request);
      if (answer === 'no match') continue;
      return answer === 'positive' && permits(role, request) ? 'allowed' : 'denied';
    }
  }
  return rules.authentication === undefined ? 'undecided' : 'denied';
};

const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const methodWords = some(
  fc.uniqueArray(fc.constantFrom('GET', 'PUT', 'HEAD', 'OPTIONS', '*'), { minLength: 1, maxLength: 3 }),
);
const commandWords = some(
  fc.uniqueArray(fc.constantFrom('volumes', 'streams', 'buildm3u', '*'), { minLength: 1, maxLength: 3 }),
);
const originWords = some(
  fc.uniqueArray(fc.constantFrom('https://a', 'https://b', '*'), { minLength: 1, maxLength: 2 }),
);

/** One side or the other: both together may contradict each other, which is refused. */
const pair = (yes: string, no: string): fc.Arbitrary<object> =>
  fc.oneof(
    { arbitrary: fc.constant({}), weight: 3 },
    fc.constantFrom<Yes>('*', true, false).map((value) => ({ [yes]: value })),
    fc.constantFrom<Yes>('*', true, false).map((value) => ({ [no]: value })),
  );

const role: fc.Arbitrary<ModelRole> = fc
  .tuple(
    fc.record({
      type: fc.constantFrom('anonymous', 'static', 'static', 'enforce-auth'),
      username: fc.constantFrom('ann', 'bob'),
      match_method: methodWords,
      nomatch_method: methodWords,
      match_admin: commandWords,
      nomatch_admin: commandWords,
      match_origin: originWords,
      nomatch_origin: originWords,
      allow_method: methodWords,
      deny_method: methodWords,
      allow_admin: commandWords,
      deny_admin: commandWords,
    }),
    pair('match_web', 'nomatch_web'),
    pair('allow_web', 'deny_web'),
    pair('allow_all', 'deny_all'),
  )
  .map(([{ username, ...main }, ...pairs]) => {
    const options = main.type === 'static' ? { options: { username, password: `of-${username}` } } : {};
    const all = Object.assign({}, main, options, ...pairs) as Record<string, unknown>;
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as unknown as ModelRole;
  });

const list = fc.array(role, { maxLength: 4 });
const block = fc.record({ authentication: list });
const rules: fc.Arbitrary<ModelRules> = fc.record(
  {
    listeners: fc.dictionary(fc.constantFrom('one', 'two'), block),
    streams: fc.dictionary(fc.constantFrom('cam', 'mic'), block),
    default_stream: block,
    authentication: list,
  },
  { requiredKeys: [] },
);

const request: fc.Arbitrary<ModelRequest> = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'HEAD', 'OPTIONS', 'DELETE'),
  command: some(fc.constantFrom('volumes', 'streams', 'buildm3u', 'metrics')),
  origin: some(fc.constantFrom('https://a', 'https://b', 'https://c')),
  stream: some(fc.constantFrom('cam', 'mic', 'other')),
  listener: some(fc.constantFrom('one', 'two', 'three')),
  as: some(
    fc.tuple(fc.constantFrom('ann', 'bob', 'eve'), fc.constantFrom('of-ann', 'of-bob')) as fc.Arbitrary<
      [string, string]
    >,
  ),
});

test('the engine decides as the model does', async () => {
  const seen = { allowed: 0, denied: 0, undecided: 0 };
  await fc.assert(
    fc.asyncProperty(rules, fc.array(request, { minLength: 4, maxLength: 8 }), async (someRules, requests) => {
      const lists = compileRules(someRules, params());
      for (const one of requests) {
        const { origin, as, ...more } = one;
        const asked = webRequest({
          ...more,
          ...(as === undefined ? {} : { as }),
          header: (name) => (name === 'origin' ? origin : undefined),
        });
        const { outcome, steps, rule } = await decide(lists, asked);
        const plain = outcome === 'unauthorized' || outcome === 'forbidden' ? 'denied' : outcome;
        assert.equal(plain, model(someRules, one));
        seen[plain] += 1;
        // The last step is that of the role that decided; those before it did not.
        const last = steps.at(-1);
        assert.equal(rule === undefined, last === undefined || last.result === 'filtered' || last.result === 'nomatch');
        for (const step of steps.slice(0, -1)) assert.ok(step.result === 'filtered' || step.result === 'nomatch');
      }
    }),
    { numRuns: 1500 },
  );
  // The property would hold for rules that never decide, too.
  for (const [outcome, times] of Object.entries(seen)) assert.ok(times > 200, `${outcome}: ${times}`);
});
