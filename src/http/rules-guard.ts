/** Lets the access rules decide a request, and holds it to what they say: limits while it runs, headers in its answer. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AccessControl } from '../auth/rules/control.ts';
import { told } from '../auth/rules/decision.ts';
import type { Decision, ResponseHeader } from '../auth/rules/engine.ts';
import { ReelError } from '../errors.ts';
import type { Caller } from './access-kinds.ts';
import { refuseForeignSite } from './foreign-site.ts';
import {
  headerOf,
  isCommand,
  type ListenerFacts,
  type RouteFacts,
  ruleRequestOf,
  withCredentials,
} from './rule-request.ts';

declare module 'fastify' {
  interface FastifyRequest {
    ruleHeaders?: readonly ResponseHeader[];
  }
}

/** Which role it was, and why, is in the log and in `reelvault auth explain`: a stranger need not know. */
const refusal = ({ outcome }: Decision, hasCredentials: boolean): ReelError =>
  outcome === 'unauthorized'
    ? new ReelError('unauthorized', {
        expected: 'credentials that the access rules accept for this',
        got: hasCredentials ? 'others' : 'no credentials',
      })
    : new ReelError('forbidden', { expected: 'a request that the access rules allow', got: 'another one' });

/** As long as timers of Node can be; a request that runs for longer is cut off then. */
const longestTimer = 2 ** 31 - 1;

/** Cuts the request off when its time is over. */
const holdToTime = (reply: FastifyReply, remainingMs: number, leave: () => void): void => {
  const cut = (): void => void reply.raw.destroy();
  const timer = Number.isFinite(remainingMs) ? setTimeout(cut, Math.min(remainingMs, longestTimer)) : undefined;
  reply.raw.once('close', () => {
    clearTimeout(timer);
    leave();
  });
};

const kindOf = ({ access }: RouteFacts): 'api' | 'publish' | 'play' => {
  if (isCommand(access)) return 'api';
  return access === 'publish' ? 'publish' : 'play';
};

/** Undefined when no rule decides. Throws what the refused are told. */
export const callerByRules = async (
  control: AccessControl,
  facts: RouteFacts,
  listener: ListenerFacts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Caller | undefined> => {
  if (control.isEmpty) return undefined;
  const { method, url, ip: address } = request;
  const plain = ruleRequestOf(facts, listener, { method, url, address, header: headerOf(request) });
  if (!control.concerns(plain)) return undefined;
  const asked = withCredentials(plain, request);
  const hasCredentials = (asked.credentials ?? asked.bearer ?? asked.ticket) !== undefined;
  try {
    const decision = await control.decide(asked);
    const { outcome, why, rule, user = null } = decision;
    if (outcome === 'undecided') return undefined;
    request.ruleHeaders = rule?.headers ?? [];
    if (outcome !== 'allowed' || rule === undefined) {
      request.log.debug({ outcome, why, address }, 'refused by an access rule');
      // What anybody may see stays to be seen by whoever does not sign in.
      if (facts.access === 'optional' && !hasCredentials) return { kind: 'anonymous' };
      throw refusal(decision, hasCredentials);
    }
    if (asked.credentials !== undefined) refuseForeignSite(request);
    const agent = asked.header('user-agent') ?? '-';
    const entered = control.enter(decision, { kind: kindOf(facts), stream: asked.stream, address, agent });
    if (entered !== undefined) holdToTime(reply, entered.remainingMs, entered.leave);
    return { kind: 'user', user, rule: told(rule), admin: isCommand(facts.access) };
  } finally {
    asked.credentials?.password.fill(0);
  }
};

/** Headers of the role that decided; they stand over those of the route. */
export const sendRuleHeaders = (app: FastifyInstance): void => {
  app.addHook('onSend', async (request, reply) => {
    for (const { name, value, status } of request.ruleHeaders ?? [])
      if (status === undefined || status === reply.statusCode) reply.header(name, value);
  });
};
