/** /api/v1/streams/:name/recording and /schedule: when a stream is recorded. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { type GapReason, gapReasonBits } from '../archive/gap-reasons.ts';
import { streamNamePattern } from '../config/schema-words.ts';
import { ReelError } from '../errors.ts';
import { lastOrderEnd } from '../recorder/recording-rules.ts';
import { days, type Schedule, timePattern } from '../recorder/schedule.ts';
import { errorAnswers } from './error-handler.ts';

const time = (description: string) =>
  Type.Union([Type.Number(), Type.Null()], { description: `Unix milliseconds; ${description}` });

export const orderSchema = Type.Object({
  mode: Type.Union([Type.Literal('on'), Type.Literal('off')]),
  reason: Type.String(),
  at: Type.Number({ description: 'Unix milliseconds: when it was given' }),
  until: time('null: until another order'),
});

export const wantedSchema = Type.Object(
  {
    record: Type.Boolean({ description: 'whether it is recorded as soon as it is published' }),
    by: Type.Union([Type.Literal('always'), Type.Literal('order'), Type.Literal('schedule')], {
      description: 'what says so; `always`: nobody has said anything',
    }),
    reason: Type.String({ description: 'of the order' }),
    since: time('null: always'),
    until: time('when it may be otherwise by itself; null: never'),
  },
  { description: 'whether the stream is to be recorded now' },
);

const timeOfDay = (description: string) => Type.String({ pattern: timePattern, description });
const dayOfWeek = Type.Enum([...days], { description: 'on which a window begins' });

export const scheduleSchema = Type.Unsafe<Schedule>(
  Type.Object(
    {
      timeZone: Type.String({ maxLength: 64, description: 'as the IANA names it, such as Europe/Zurich' }),
      windows: Type.Array(
        Type.Object(
          {
            days: Type.Array(dayOfWeek, { minItems: 1, maxItems: 7 }),
            from: timeOfDay('such as 22:00'),
            to: timeOfDay('such as 06:00 (of the next day where it is not later than `from`), or 24:00'),
          },
          { additionalProperties: false },
        ),
        { maxItems: 50 },
      ),
    },
    { additionalProperties: false },
  ),
);

const orderFields = {
  mode: Type.Union([Type.Literal('on'), Type.Literal('off'), Type.Literal('schedule')], {
    description: '`schedule`: no order holds any more; the schedule counts, if there is one',
  }),
  reason: Type.Optional(Type.String({ maxLength: 200, description: 'why, for those who ask later' })),
  until: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: lastOrderEnd,
      description: 'Unix milliseconds, in the future; without it until another order',
    }),
  ),
};
export type StreamOrder = Static<ReturnType<typeof Type.Object<typeof orderFields>>>;

const seconds = Type.Number({ minimum: 0, description: 'Unix seconds' });
const gapSchema = Type.Object({
  from: seconds,
  to: seconds,
  reasons: Type.Array(Type.Enum(Object.keys(gapReasonBits) as GapReason[]), {
    description: 'docs/archive.md, "Gaps"; none: nothing is known of it',
  }),
});
export type StreamGap = Static<typeof gapSchema>;

export interface RecordingPart<View> {
  /** Where nothing was recorded. */
  gaps(name: string, from: number, to: number): Promise<StreamGap[]>;
  /** Records it or not. `not-found` for a stream that is not declared. */
  order(name: string, order: StreamOrder): Promise<View>;
  /** Null: no schedule. */
  schedule(name: string, schedule: Schedule | null): Promise<View>;
}

const nameParams = Type.Object({ name: Type.String({ pattern: streamNamePattern }) });
const tags = ['streams'];
const longestSpan = 366 * 86_400;

/** Within `streamRoutes`, which has the schema of a stream. */
export const streamRecordingRoutes: FastifyPluginAsyncTypebox<{ streams: RecordingPart<object> }> = async (
  app,
  { streams },
) => {
  const answer = { 200: Type.Unsafe<object>(Type.Ref('Stream')), ...errorAnswers };

  app.put(
    '/streams/:name/recording',
    {
      schema: {
        summary: 'Record a stream, or do not',
        description:
          'On disk when it is answered, and followed at once: a publisher stays, and is recorded from here on or not any more. Counts before everything else. `not-found` for a stream that there is not.',
        tags,
        params: nameParams,
        // In the query: so the audit trail says what was ordered.
        querystring: Type.Object(orderFields, { additionalProperties: false }),
        response: answer,
      },
    },
    (request) => streams.order(request.params.name, { ...request.query }),
  );

  app.put(
    '/streams/:name/schedule',
    {
      schema: {
        summary: 'Record a stream in windows of the week',
        description:
          'On disk when it is answered, and followed at once. An order counts before it. Without a window the stream is never recorded.',
        tags,
        params: nameParams,
        body: scheduleSchema,
        response: answer,
      },
    },
    (request) => streams.schedule(request.params.name, request.body),
  );

  app.delete(
    '/streams/:name/schedule',
    { schema: { summary: 'Record a stream always', tags, params: nameParams, response: answer } },
    (request) => streams.schedule(request.params.name, null),
  );

  app.get(
    '/streams/:name/gaps',
    {
      schema: {
        summary: 'Where nothing was recorded between recordings, and why',
        description:
          'The gaps that touch the span, each from its beginning; the last one may not have ended. Of the volume that the stream is recorded into, while that is open.',
        tags,
        params: nameParams,
        querystring: Type.Object({ from: seconds, to: seconds }, { additionalProperties: false }),
        response: { 200: Type.Object({ gaps: Type.Array(gapSchema) }), ...errorAnswers },
      },
    },
    async (request) => {
      const { from, to } = request.query;
      if (to <= from || to - from > longestSpan)
        throw new ReelError('invalid-argument', {
          expected: `to after from, by at most ${longestSpan} seconds`,
          got: `${from} and ${to}`,
        });
      return { gaps: await streams.gaps(request.params.name, from, to) };
    },
  );
};
