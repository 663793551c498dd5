/** A request of the HTTP server as the rules see it. */
import os from 'node:os';
import type { FastifyRequest } from 'fastify';
import { basicCredentials, bearerToken } from '../auth/credentials.ts';
import type { RuleRequest } from '../auth/rules/request.ts';
import type { Access } from './access-kinds.ts';

/** What a route tells about requests to it. */
export interface RouteFacts {
  /** Its pattern; undefined where no route answers. */
  readonly route: string | undefined;
  readonly access: Access;
  readonly params: Readonly<Record<string, string | undefined>>;
}

const host = os.hostname();

const apiPrefix = /^\/api\/v\d+\//;

/** `/api/v1/volumes/:name/open` is the command `volumes/open`. What the API does not have is the command `unknown`. */
export const commandOf = (route: string | undefined): string =>
  route
    ?.replace(apiPrefix, '')
    .split('/')
    .filter((part) => part !== '' && !part.startsWith(':'))
    .join('/') ?? 'unknown';

/** Neither playback nor ingest: what the rules call admin. */
export const isCommand = (access: Access): boolean => access === 'admin' || access === 'optional';

const streamOf = ({ route, params }: RouteFacts): string | undefined =>
  params.stream ?? (route !== undefined && /^\/api\/v\d+\/streams\/:name(\/|$)/.test(route) ? params.name : undefined);

export interface ListenerFacts {
  readonly name: string | undefined;
  readonly port: number;
}

type Asked = Pick<RuleRequest, 'method' | 'url' | 'address' | 'header'>;

/** Without credentials. */
export const ruleRequestOf = (facts: RouteFacts, listener: ListenerFacts, asked: Asked): RuleRequest => ({
  ...asked,
  command: isCommand(facts.access) ? commandOf(facts.route) : undefined,
  stream: streamOf(facts),
  listener: listener.name,
  credentials: undefined,
  bearer: undefined,
  ticket: undefined,
  server: { name: host, port: listener.port },
});

export const withCredentials = (facts: RuleRequest, request: FastifyRequest): RuleRequest => {
  const { authorization = '' } = request.headers;
  const { ticket } = request.query as { ticket?: unknown };
  return {
    ...facts,
    credentials: /^Basic /i.test(authorization) ? basicCredentials(authorization) : undefined,
    bearer: bearerToken(authorization),
    ticket: typeof ticket === 'string' ? ticket : undefined,
  };
};

export const headerOf =
  ({ headers }: FastifyRequest) =>
  (name: string): string | undefined => {
    const value = headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  };
