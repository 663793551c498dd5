/** /api/v1/events/test: whether the receivers of the webhook take an event. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { errorAnswers } from './error-handler.ts';

const testedSchema = Type.Object({
  endpoints: Type.Array(
    Type.Object({
      endpoint: Type.String({ description: 'scheme, host and port; a number where there are several of them' }),
      delivered: Type.Boolean(),
      status: Type.Union([Type.Integer(), Type.Null()], { description: 'that it answered with; null: it did not' }),
      problem: Type.Union([Type.String(), Type.Null()]),
      ms: Type.Integer({ description: 'how long it took' }),
    }),
  ),
});

export type TestedView = Static<typeof testedSchema>;

export interface WebhookPart {
  /** Throws `not-found` where there is no receiver. */
  test(): Promise<TestedView['endpoints']>;
}

export const webhookRoutes: FastifyPluginAsyncTypebox<{ webhook: WebhookPart }> = async (app, { webhook }) => {
  app.post(
    '/events/test',
    {
      schema: {
        summary: 'Post an event `webhook.test` to each receiver, once, and say what came back',
        description: 'It goes before whatever is queued, and also to receivers that want other types only.',
        tags: ['events'],
        response: { 200: testedSchema, ...errorAnswers },
      },
    },
    async () => ({ endpoints: await webhook.test() }),
  );
};
