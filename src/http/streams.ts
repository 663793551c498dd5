/** /api/v1/streams: what is recorded where, and tickets for publishers. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import type { TicketOffice } from '../auth/tickets.ts';
import { volumeNamePattern } from '../config/settings.ts';
import { checkNewStreamName } from '../recorder/stream-registry.ts';
import { errorAnswers } from './error-handler.ts';

export const streamNamePattern = '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$';

const configFields = {
  volume: Type.String({ pattern: volumeNamePattern }),
  segmentMs: Type.Integer({ minimum: 500, maximum: 60_000, description: 'wanted length of a segment' }),
  evidence: Type.Boolean({ description: 'keep a SHA-256 of each segment' }),
};

export const streamSchema = Type.Object(
  {
    name: Type.String(),
    ...configFields,
    recording: Type.Boolean({ description: 'a publisher is sending now' }),
    failure: Type.Union([Type.Any(), Type.Null()], { description: 'how the last session ended, where it failed' }),
  },
  { $id: 'Stream' },
);
export type StreamView = Static<typeof streamSchema>;
export type StreamChange = Partial<Pick<StreamView, 'volume' | 'segmentMs' | 'evidence'>>;

/** What the routes need of the recorder. */
export interface StreamsPart {
  list(): Promise<readonly StreamView[]>;
  get(name: string): Promise<StreamView>;
  /** What is left out stays as it is, or becomes the default of a new stream. */
  put(name: string, change: StreamChange): Promise<StreamView>;
  /** Forgets the settings; recordings stay. */
  delete(name: string): Promise<void>;
}

const nameParams = Type.Object({ name: Type.String({ pattern: streamNamePattern }) });
const tags = ['streams'];

export const streamRoutes: FastifyPluginAsyncTypebox<{ streams: StreamsPart; tickets: TicketOffice }> = async (
  app,
  { streams, tickets },
) => {
  app.addSchema(streamSchema);
  const stream = Type.Unsafe<StreamView>(Type.Ref('Stream'));
  const answer = { 200: stream, ...errorAnswers };

  app.get(
    '/streams',
    {
      schema: {
        summary: 'All streams',
        tags,
        response: { 200: Type.Object({ streams: Type.Array(stream) }), ...errorAnswers },
      },
    },
    async () => ({ streams: [...(await streams.list())] }),
  );

  app.get(
    '/streams/:name',
    { schema: { summary: 'One stream', tags, params: nameParams, response: answer } },
    (request) => streams.get(request.params.name),
  );

  app.put(
    '/streams/:name',
    {
      schema: {
        summary: 'Make a stream or change its settings',
        description: 'What is left out stays as it is. A change holds from the next publisher on.',
        tags,
        params: nameParams,
        body: Type.Partial(Type.Object(configFields), { additionalProperties: false }),
        response: answer,
      },
    },
    (request) => streams.put(checkNewStreamName(request.params.name), request.body),
  );

  app.delete(
    '/streams/:name',
    {
      schema: {
        summary: 'Forget the settings of a stream',
        description: 'Recordings stay. Refused while a publisher is sending.',
        tags,
        params: nameParams,
        response: { 204: Type.Null(), ...errorAnswers },
      },
    },
    async (request, reply) => {
      await streams.delete(request.params.name);
      return reply.status(204).send(null);
    },
  );

  app.post(
    '/streams/:name/tickets',
    {
      schema: {
        summary: 'A ticket to publish once',
        description:
          'Good for one `PUT /ingest/<stream>?ticket=…` that begins before it runs out. Tickets do not survive a restart.',
        tags,
        params: nameParams,
        querystring: Type.Object(
          { lifeSeconds: Type.Integer({ minimum: 1, maximum: 86_400, default: 60 }) },
          { additionalProperties: false },
        ),
        response: {
          201: Type.Object({
            ticket: Type.String(),
            path: Type.String({ description: 'where to publish, on this server' }),
            expiresAt: Type.Integer({ description: 'Unix milliseconds' }),
          }),
          ...errorAnswers,
        },
      },
    },
    async (request, reply) => {
      const name = checkNewStreamName(request.params.name);
      const { ticket, expiresAt } = tickets.issue(name, request.query.lifeSeconds * 1000);
      return reply.status(201).send({ ticket, path: `/ingest/${name}?ticket=${ticket}`, expiresAt });
    },
  );
};
