/** POST /api/v1/auth/explain: what the access rules say of a request that nobody makes. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import type { AccessControl } from '../auth/rules/control.ts';
import { told } from '../auth/rules/decision.ts';
import type { Access } from './access-kinds.ts';
import { errorAnswers } from './error-handler.ts';
import type { RouteTable } from './route-table.ts';
import { ruleRequestOf } from './rule-request.ts';

export interface AccessRulesPart {
  readonly control: AccessControl;
  readonly routes: RouteTable;
}

/** What the service's own rules say of a route, where no rule of the admin's decides. */
const ownRules: Readonly<Record<Access, string>> = {
  admin: 'the admin signs in with the password of the service',
  optional: 'anybody may ask, and the admin is told more',
  open: 'anybody may ask',
  publish: 'a publish ticket, or the admin with the password of the service',
};

const orNull = Type.Union([Type.String(), Type.Null()]);

const explanationSchema = Type.Object({
  outcome: Type.Enum(['allowed', 'unauthorized', 'forbidden', 'undecided'], {
    description: 'undecided: no rule of yours decides, and those of the service count',
  }),
  why: Type.String(),
  rule: Type.Union([orNull], { description: 'the role that decided' }),
  user: orNull,
  request: Type.Object({
    route: Type.Union([orNull], { description: 'null where no route answers' }),
    command: Type.Union([orNull], {
      description: 'name of the command of the API; null for playback and ingest, which are web',
    }),
    stream: orNull,
    listener: orNull,
  }),
  limits: Type.Object({
    connectionsPerUser: Type.Union([Type.Integer(), Type.Null()]),
    seconds: Type.Union([Type.Number(), Type.Null()]),
  }),
  steps: Type.Array(
    Type.Object({
      level: Type.String(),
      place: Type.Integer({ description: 'in its list, from 1' }),
      type: Type.String(),
      name: orNull,
      result: Type.Enum(['filtered', 'nomatch', 'match', 'fail']),
      why: Type.String(),
    }),
    { description: 'every role that was looked at, in order' },
  ),
});
export type Explanation = Static<typeof explanationSchema>;

const questionSchema = Type.Object(
  {
    method: Type.String({ pattern: '^[A-Za-z]{1,32}$', description: 'such as GET' }),
    url: Type.String({
      pattern: '^(https?://[^/]+)?/\\S*$',
      maxLength: 4096,
      description: 'path and query, or a whole URL',
    }),
    user: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description: 'who comes, with the right password; nobody without it',
      }),
    ),
    address: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: 'from where; 127.0.0.1 without it' }),
    ),
    origin: Type.Optional(Type.String({ maxLength: 1024, description: 'of the header Origin' })),
    listener: Type.Optional(Type.String({ maxLength: 100, description: 'name of the listener; default without it' })),
  },
  { additionalProperties: false },
);

/** Only what no password is needed for: nobody is asked and nobody is signed in. */
export const accessRulesRoutes: FastifyPluginAsyncTypebox<{ access: AccessRulesPart }> = async (app, { access }) => {
  app.post(
    '/auth/explain',
    {
      schema: {
        summary: 'Which access rule would decide a request, and why',
        tags: ['access'],
        body: questionSchema,
        response: { 200: explanationSchema, ...errorAnswers },
      },
    },
    async ({ body }): Promise<Explanation> => {
      const { user, origin, address = '127.0.0.1', listener = 'default' } = body;
      const method = body.method.toUpperCase();
      const url = body.url.replace(/^https?:\/\/[^/]+/, '');
      const facts = access.routes.find(method, url);
      const header = (name: string): string | undefined => (name === 'origin' ? origin : undefined);
      const request = ruleRequestOf(facts, { name: listener, port: 0 }, { method, url, address, header });
      const decision = await access.control.explain(request, { user });
      const { outcome, why, rule, steps } = decision;
      return {
        outcome,
        why: outcome === 'undecided' ? `${why}: ${ownRules[facts.access]}` : why,
        rule: rule === undefined ? null : told(rule),
        user: decision.user ?? null,
        request: {
          route: facts.route ?? null,
          command: request.command ?? null,
          stream: request.stream ?? null,
          listener,
        },
        limits: { connectionsPerUser: rule?.connectionsPerUser ?? null, seconds: decision.seconds ?? null },
        steps: [...steps],
      };
    },
  );
};
