/** /api/v1/events: what happens in the service, as it happens and for a while afterwards. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { eventTypePattern } from '../config/settings.ts';
import { ReelError } from '../errors.ts';
import type { EventBus } from '../events/bus.ts';
import { type EventFilter, fits } from '../events/filter.ts';
import { errorAnswers } from './error-handler.ts';
import { EventStream } from './event-stream.ts';

export interface EventsPart {
  readonly bus: EventBus;
  readonly heartbeatMs?: number;
  readonly maxBytes?: number;
}

/** Listeners at a time: each costs memory, up to the bound of its queue. */
const maxStreams = 64;

const eventSchema = Type.Object(
  {
    id: Type.String({ description: 'for `Last-Event-ID`' }),
    time: Type.String({ format: 'date-time' }),
    type: Type.String({ description: 'one of docs/events.md' }),
    volume: Type.Union([Type.String(), Type.Null()]),
    stream: Type.Union([Type.String(), Type.Null()]),
    facts: Type.Record(Type.String(), Type.Any()),
  },
  { $id: 'Event' },
);

const eventId = Type.String({ maxLength: 64 });
const eventType = Type.String({ pattern: eventTypePattern });
const filterQuery = {
  type: Type.Optional(
    Type.Union([eventType, Type.Array(eventType, { maxItems: 32 })], {
      description: 'only events of this type, or of these; `volume.*` is all that begin so',
    }),
  ),
  volume: Type.Optional(Type.String({ maxLength: 64, description: 'only events about this volume' })),
  stream: Type.Optional(Type.String({ maxLength: 64, description: 'only events about this stream' })),
};
const strict = { additionalProperties: false };
const tags = ['events'];

const filterOf = (query: { type?: string | string[]; volume?: string; stream?: string }): EventFilter => ({
  types: query.type === undefined ? undefined : [query.type].flat(),
  volume: query.volume,
  stream: query.stream,
});

export const eventRoutes: FastifyPluginAsyncTypebox<{ events: EventsPart }> = async (app, { events }) => {
  const { bus, ...limits } = events;
  app.addSchema(eventSchema);
  let streams = 0;

  app.get(
    '/events',
    {
      schema: {
        summary: 'Events as they happen (server-sent events)',
        description:
          'With `Last-Event-ID` it begins with what happened since, and with an event `events.missed` where that is not kept any more. ' +
          'A client that does not read is dropped.',
        tags,
        produces: ['text/event-stream'],
        querystring: Type.Object(filterQuery, strict),
        headers: Type.Object({ 'last-event-id': Type.Optional(eventId) }),
        response: { 200: Type.Any({ description: 'one `data:` an event, its JSON in one line' }), ...errorAnswers },
      },
    },
    async (request, reply) => {
      if (streams >= maxStreams) {
        throw new ReelError('too-many-listeners', {
          expected: `at most ${maxStreams} listeners to events`,
          got: 'one more',
          hint: 'close some of them',
          details: { retryAfterSeconds: 10 },
        });
      }
      streams += 1;
      const stream = new EventStream({
        ...limits,
        bus,
        filter: filterOf(request.query),
        after: request.headers['last-event-id'],
      });
      stream.once('close', () => {
        streams -= 1;
      });
      // A proxy in between must not collect them.
      return reply.type('text/event-stream; charset=utf-8').header('x-accel-buffering', 'no').send(stream);
    },
  );

  app.get(
    '/events/recent',
    {
      schema: {
        summary: 'The events that are kept, oldest first',
        tags,
        querystring: Type.Object(
          {
            ...filterQuery,
            after: Type.Optional(
              Type.String({ maxLength: 64, description: 'id of an event: only what came after it' }),
            ),
          },
          strict,
        ),
        response: {
          200: Type.Object({
            events: Type.Array(Type.Ref('Event')),
            missed: Type.Boolean({ description: 'there were more after `after`, which are not kept' }),
            lastId: Type.String({ description: 'for `Last-Event-ID`: hear everything from here on' }),
          }),
          ...errorAnswers,
        },
      },
    },
    async (request) => {
      const { missed, events: kept } = bus.past(request.query.after);
      const filter = filterOf(request.query);
      return { events: kept.filter((event) => fits(event, filter)), missed, lastId: bus.lastId };
    },
  );
};
