/**
 * Who may call what. Each route carries its rule; a route without one is for the admin, so that a forgotten rule closes and does not open.
 * The rule hangs on the route that was matched and never on the text of the URL, which can spell one path in many ways.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { BasicAuth } from '../auth/basic.ts';
import type { AccessControl } from '../auth/rules/control.ts';
import type { TicketOffice } from '../auth/tickets.ts';
import { type Access, accessOf, type Caller } from './access-kinds.ts';
import { refuseForeignSite } from './foreign-site.ts';
import type { ListenerFacts, RouteFacts } from './rule-request.ts';
import { callerByRules, sendRuleHeaders } from './rules-guard.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
  interface FastifyRequest {
    caller: Caller;
  }
}

export interface AccessParams {
  readonly auth: BasicAuth;
  readonly tickets: TicketOffice;
  /** Rules of the admin's own; where none of them decides, those of the routes count. */
  readonly control: AccessControl;
  /** Through which listener the request came. */
  readonly listenerOf: (request: FastifyRequest) => ListenerFacts;
  /** Whether this request came through the admin socket. */
  readonly isLocal: (request: FastifyRequest) => boolean;
}

export const isAdmin = ({ caller }: FastifyRequest): boolean =>
  caller.kind === 'admin' || caller.kind === 'local' || (caller.kind === 'user' && caller.admin);

const factsOf = (request: FastifyRequest): RouteFacts => {
  const { url, config } = request.routeOptions;
  const route = request.is404 ? undefined : url;
  const access = accessOf(request.url, route, config.access);
  return { route, access, params: request.params as Record<string, string> };
};

const signIn = async (request: FastifyRequest, auth: BasicAuth): Promise<Caller> => {
  const user = await auth.check(request.headers.authorization, request.ip);
  refuseForeignSite(request);
  return { kind: 'admin', user };
};

const publisher = async (request: FastifyRequest, params: AccessParams): Promise<Caller> => {
  const { ticket } = request.query as { ticket?: unknown };
  if (typeof ticket !== 'string') return signIn(request, params.auth);
  const { stream } = request.params as { stream: string };
  params.tickets.redeem(ticket, stream);
  return { kind: 'publisher', stream };
};

const callerOf = async (request: FastifyRequest, reply: FastifyReply, params: AccessParams): Promise<Caller> => {
  if (params.isLocal(request)) return { kind: 'local' };
  const facts = factsOf(request);
  const byRules = await callerByRules(params.control, facts, params.listenerOf(request), request, reply);
  if (byRules !== undefined) return byRules;
  const { access } = facts;
  if (access === 'publish') return publisher(request, params);
  const anonymous = access === 'open' || (access === 'optional' && request.headers.authorization === undefined);
  return anonymous ? { kind: 'anonymous' } : signIn(request, params.auth);
};

/** Puts the check before everything else: a refused caller's body is never read. */
export const guard = (app: FastifyInstance, params: AccessParams): void => {
  app.decorateRequest('caller', { getter: () => anonymousCaller });
  app.addHook('onRequest', async (request, reply) => {
    const caller = await callerOf(request, reply, params);
    Object.defineProperty(request, 'caller', { value: caller });
  });
  sendRuleHeaders(app);
};

const anonymousCaller: Caller = { kind: 'anonymous' };
