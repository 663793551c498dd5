/** Every request that changes something is in the audit trail before it begins, and again when it has ended. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { AuditTrail } from '../audit/trail.ts';
import { errorAnswers } from './error-handler.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The act is done although it cannot be recorded: what makes a volume safe must not wait for a full disk. */
    unaudited?: 'allowed';
  }
  interface FastifyRequest {
    auditBegun?: boolean;
    auditError?: string;
  }
}

export interface AuditPart {
  readonly trail: Pick<AuditTrail, 'record' | 'newest' | 'verify'>;
  /** Who is at the other end of the admin socket. */
  readonly peerOf: (request: FastifyRequest) => Readonly<Record<string, unknown>>;
}

/** Failed sign-ins that are recorded in a minute; an attacker must not fill the disk with them. */
const failuresPerMinute = 60;

const changes = ({ method }: FastifyRequest): boolean => method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS';

const actOf = (request: FastifyRequest): string => `${request.method} ${request.routeOptions.url ?? '?'}`;

/** No values of a body: it may be a passphrase. */
const whatOf = (request: FastifyRequest): Record<string, unknown> => ({
  ...(request.params as object),
  ...(request.query as object),
  ...(typeof request.body === 'object' && request.body !== null && !Buffer.isBuffer(request.body)
    ? { fields: Object.keys(request.body) }
    : {}),
});

export const auditRequests = (app: FastifyInstance, { trail, peerOf }: AuditPart): void => {
  const who = (request: FastifyRequest): Record<string, unknown> =>
    request.caller.kind === 'local'
      ? { kind: 'local', ...peerOf(request) }
      : { ...request.caller, address: request.ip };

  app.addHook('preHandler', async (request) => {
    if (!changes(request)) return;
    const facts = {
      act: actOf(request),
      phase: 'begin',
      who: who(request),
      what: whatOf(request),
      outcome: {},
    } as const;
    try {
      await trail.record({ ...facts, requestId: request.id });
      request.auditBegun = true;
    } catch (error) {
      if (request.routeOptions.config.unaudited !== 'allowed') throw error;
      request.log.error({ ...facts, err: error }, 'an act that could not be recorded in the audit trail');
    }
  });

  app.addHook('onError', async (request, _reply, error) => {
    request.auditError = 'code' in error ? String(error.code) : 'internal';
  });

  app.addHook('onResponse', async (request, reply) => {
    if (request.auditBegun !== true) return;
    const outcome = {
      status: reply.statusCode,
      ...(request.auditError === undefined ? {} : { code: request.auditError }),
    };
    const facts = { act: actOf(request), phase: 'end', who: who(request), what: whatOf(request), outcome } as const;
    await trail.record({ ...facts, requestId: request.id }).catch((err: unknown) => {
      request.log.error({ ...facts, err }, 'the end of an act could not be recorded in the audit trail');
    });
  });
};

/** Sign-ins that failed: for the whole application, since what is refused reaches no route. */
export const auditSignIns = (app: FastifyInstance, { trail }: AuditPart, now: () => number): void => {
  let minute = 0;
  let count = 0;
  let suppressed = 0;
  app.addHook('onResponse', async (request, reply) => {
    if (request.headers.authorization === undefined || (reply.statusCode !== 401 && reply.statusCode !== 429)) return;
    const current = Math.floor(now() / 60_000);
    if (current !== minute) [minute, count] = [current, 0];
    count += 1;
    if (count > failuresPerMinute) {
      suppressed += 1;
      return;
    }
    const outcome = { status: reply.statusCode, ...(suppressed === 0 ? {} : { notRecordedBefore: suppressed }) };
    suppressed = 0;
    const facts = { act: 'login.failed', phase: 'done', who: { address: request.ip }, what: {}, outcome } as const;
    await trail.record({ ...facts, requestId: request.id }).catch((err: unknown) => {
      request.log.error({ ...facts, err }, 'a failed sign-in could not be recorded in the audit trail');
    });
  });
};

const entrySchema = Type.Object(
  {
    sequence: Type.Integer(),
    time: Type.String(),
    act: Type.String(),
    phase: Type.Enum(['begin', 'end', 'done']),
    who: Type.Record(Type.String(), Type.Any()),
    what: Type.Record(Type.String(), Type.Any()),
    outcome: Type.Record(Type.String(), Type.Any()),
    requestId: Type.Union([Type.String(), Type.Null()]),
    previous: Type.String(),
    hash: Type.String(),
  },
  { $id: 'AuditEntry' },
);

export const auditRoutes: FastifyPluginAsyncTypebox<{ audit: AuditPart }> = async (app, { audit }) => {
  app.addSchema(entrySchema);
  app.get(
    '/audit',
    {
      schema: {
        summary: 'The newest entries of the audit trail, oldest first',
        tags: ['audit'],
        querystring: Type.Object(
          { limit: Type.Integer({ minimum: 1, maximum: 10_000, default: 100 }) },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ entries: Type.Array(Type.Ref('AuditEntry')) }), ...errorAnswers },
      },
    },
    async (request) => ({ entries: await audit.trail.newest(request.query.limit) }),
  );
  app.get(
    '/audit/verify',
    {
      schema: {
        summary: 'Whether the audit trail is whole',
        tags: ['audit'],
        response: { 200: Type.Any({ description: 'whole, entries, from, last, problem' }), ...errorAnswers },
      },
    },
    () => audit.trail.verify(),
  );
};
