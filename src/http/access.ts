/**
 * Who may call what. Each route carries its rule; a route without one is for the admin, so that a forgotten rule closes and does not open.
 * The rule hangs on the route that was matched and never on the text of the URL, which can spell one path in many ways.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { BasicAuth } from '../auth/basic.ts';
import type { TicketOffice } from '../auth/tickets.ts';
import { ReelError } from '../errors.ts';

/** `admin`: the admin only. `optional`: anybody, and the admin sees more. `open`: anybody. `publish`: the admin, or a ticket for `:stream`. */
export type Access = 'admin' | 'optional' | 'open' | 'publish';

/** `local` came through the admin socket, whose permissions are the proof. */
export type Caller =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'local' }
  | { readonly kind: 'admin'; readonly user: string }
  | { readonly kind: 'publisher'; readonly stream: string };

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
  /** Whether this request came through the admin socket. */
  readonly isLocal: (request: FastifyRequest) => boolean;
}

export const isAdmin = (request: FastifyRequest): boolean =>
  request.caller.kind === 'admin' || request.caller.kind === 'local';

const firstSegment = (url: string): string => {
  const [, segment = ''] = url.split(/[/?#]/, 2);
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
};

const accessOf = (request: FastifyRequest): Access => {
  const access = request.routeOptions.config.access ?? 'admin';
  const claimed = request.is404 || access === 'open';
  // What no route of the API answers must not tell a stranger which routes there are.
  if (claimed && firstSegment(request.url) === 'api') return 'admin';
  return request.is404 ? 'open' : access;
};

/** A browser sends Basic credentials along with requests that another site started; those must not change anything here. */
const refuseForeignSite = (request: FastifyRequest): void => {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  const site = request.headers['sec-fetch-site'];
  const origin = request.headers.origin;
  const foreign = site !== undefined && site !== 'same-origin' && site !== 'none';
  if (!foreign && (origin === undefined || origin === `https://${request.headers.host}`)) return;
  throw new ReelError('forbidden', { expected: 'a request of this site', got: 'one that another site started' });
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

const callerOf = (request: FastifyRequest, params: AccessParams): Caller | Promise<Caller> => {
  const access = accessOf(request);
  if (params.isLocal(request)) return { kind: 'local' };
  if (access === 'publish') return publisher(request, params);
  const anonymous = access === 'open' || (access === 'optional' && request.headers.authorization === undefined);
  return anonymous ? { kind: 'anonymous' } : signIn(request, params.auth);
};

/** Puts the check before everything else: a refused caller's body is never read. */
export const guard = (app: FastifyInstance, params: AccessParams): void => {
  app.decorateRequest('caller', { getter: () => anonymousCaller });
  app.addHook('onRequest', async (request) => {
    const caller = await callerOf(request, params);
    Object.defineProperty(request, 'caller', { value: caller });
  });
};

const anonymousCaller: Caller = { kind: 'anonymous' };
