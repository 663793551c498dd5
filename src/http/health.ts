/** GET /api/v1/health: for load balancers and people without an account a few words, for the admin the details. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { isAdmin } from './access.ts';
import { errorAnswers } from './error-handler.ts';

export interface PartHealth {
  readonly up: boolean;
  /** For the admin; never a secret. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Asks every part. Must answer quickly, also when a part hangs. */
export type PartsHealth = () => Promise<Readonly<Record<string, PartHealth>>>;

const healthSchema = Type.Object({
  alive: Type.Literal(true),
  ready: Type.Boolean({ description: 'every part is up' }),
  parts: Type.Record(Type.String(), Type.Boolean()),
  details: Type.Optional(Type.Record(Type.String(), Type.Any(), { description: 'only for the admin' })),
});

export const healthRoutes: FastifyPluginAsyncTypebox<{ health: PartsHealth }> = async (app, { health }) => {
  app.get(
    '/health',
    {
      config: { access: 'optional' },
      schema: {
        summary: 'Whether the service and its parts are up',
        tags: ['health'],
        security: [],
        response: { 200: healthSchema, ...errorAnswers },
      },
    },
    async (request) => {
      const parts = Object.entries(await health());
      return {
        alive: true as const,
        ready: parts.every(([, part]) => part.up),
        parts: Object.fromEntries(parts.map(([name, part]) => [name, part.up])),
        ...(isAdmin(request) ? { details: Object.fromEntries(parts.map(([name, part]) => [name, part.details])) } : {}),
      };
    },
  );
};
