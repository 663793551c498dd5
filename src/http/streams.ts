/** /api/v1/streams: what is recorded where, and tickets for publishers. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import type { TicketOffice } from '../auth/tickets.ts';
import { streamNamePattern } from '../config/schema-words.ts';
import { volumeNamePattern } from '../config/settings.ts';
import { checkNewStreamName, longestPreRecordSeconds } from '../recorder/stream-registry.ts';
import { errorAnswers } from './error-handler.ts';
import {
  orderSchema,
  type RecordingPart,
  scheduleSchema,
  streamRecordingRoutes,
  wantedSchema,
} from './stream-recording.ts';

const configFields = {
  volume: Type.String({ pattern: volumeNamePattern }),
  segmentMs: Type.Integer({ minimum: 500, maximum: 60_000, description: 'wanted length of a segment' }),
  evidence: Type.Boolean({ description: 'keep a SHA-256 of each segment' }),
  preRecordSeconds: Type.Integer({
    minimum: 0,
    maximum: longestPreRecordSeconds,
    description: 'how much of what is not recorded is kept in memory, for a recording to begin with',
  }),
};

const count = Type.Integer({ minimum: 0 });
const sessionSchema = Type.Object({
  publisher: Type.String(),
  since: Type.Number({ description: 'Unix milliseconds' }),
  endedAt: Type.Union([Type.Number(), Type.Null()], { description: 'Unix milliseconds; null while it runs' }),
  received: Type.Integer({ description: 'bytes' }),
  queued: Type.Integer({ description: 'bytes received and not yet written' }),
  durableLagMs: Type.Number({ description: 'how old the oldest byte is that came in and is not durable' }),
  heldBack: Type.Boolean({ description: 'the publisher is to wait: the disk is slower than it sends' }),
  segments: Type.Integer({ description: 'durable ones' }),
  bytes: Type.Integer({ description: 'of durable segments' }),
  durableTo: Type.Union([Type.Number(), Type.Null()], {
    description: 'Unix seconds: end of the newest durable segment',
  }),
  clockBehind: Type.Boolean({
    description:
      'the newest segment began over 2 s ahead of the wall clock: that was set back, or the publisher sends faster than real time',
  }),
  counters: Type.Object(
    {
      packets: count,
      nullPackets: count,
      continuityErrors: count,
      transportErrors: count,
      syncLosses: count,
      garbageBytes: count,
      duplicatePackets: count,
      scrambledPackets: count,
      discontinuities: count,
      clockJumps: count,
      tableChanges: count,
      packetBytes: Type.Integer({ description: 'length of a packet: 188, 192 or 204; 0 before one was found' }),
    },
    { description: 'of the transport stream' },
  ),
});

export const streamSchema = Type.Object(
  {
    name: Type.String(),
    ...configFields,
    publishing: Type.Boolean({ description: 'a publisher is sending now, recorded or not' }),
    recording: Type.Boolean({ description: 'what it sends is being recorded' }),
    wanted: wantedSchema,
    order: Type.Union([orderSchema, Type.Null()], { description: 'the order that holds now' }),
    schedule: Type.Union([scheduleSchema, Type.Null()], { description: 'windows it is recorded in; null: always' }),
    kept: Type.Object(
      { bytes: count, since: Type.Union([Type.Number(), Type.Null()], { description: 'Unix milliseconds' }) },
      { description: 'what a recording that begins now would begin with' },
    ),
    session: Type.Union([sessionSchema, Type.Null()], {
      description: 'the session that runs, else the last one since the start of the service',
    }),
    failure: Type.Union([Type.Any(), Type.Null()], {
      description: 'why the last attempt to publish was refused or ended, where it failed',
    }),
  },
  { $id: 'Stream' },
);
export type StreamView = Static<typeof streamSchema>;
const deletedSchema = Type.Object({
  name: Type.String(),
  volume: Type.String({ description: 'the one it recorded into' }),
  recordings: Type.Union([Type.Literal('kept'), Type.Literal('none'), Type.Literal('unknown')], {
    description: 'on that volume: nothing of them is removed; unknown while it is not open',
  }),
});
export type DeletedStream = Static<typeof deletedSchema>;
export type StreamChange = Partial<Pick<StreamView, 'volume' | 'segmentMs' | 'evidence' | 'preRecordSeconds'>>;

/** What the routes need of the recorder. */
export interface StreamsPart extends RecordingPart<StreamView> {
  list(): Promise<readonly StreamView[]>;
  get(name: string): Promise<StreamView>;
  /** What is left out stays as it is, or becomes the default of a new stream. */
  put(name: string, change: StreamChange): Promise<StreamView>;
  /** Forgets the settings; recordings stay. */
  delete(name: string): Promise<DeletedStream>;
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
  await app.register(streamRecordingRoutes, { streams });

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
        description:
          'What is left out stays as it is. A change holds from the next recording on; `preRecordSeconds` at once. `not-found` for a volume that there is not.',
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
        description: 'Recordings stay, and can still be played. Refused while a publisher is sending.',
        tags,
        params: nameParams,
        response: { 200: deletedSchema, ...errorAnswers },
      },
    },
    (request) => streams.delete(request.params.name),
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
