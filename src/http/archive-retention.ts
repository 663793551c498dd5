/** /api/v1/volumes/:name/retention and …/thin: what is deleted from an open volume. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import type { PurgeReport } from '../archive/retention/report.ts';
import { type OwnRules, rulesSchema, streamRulesSchema, volumeRuleFields } from '../archive/retention/rules.ts';
import { streamNamePattern } from '../config/schema-words.ts';
import { volumeNamePattern } from '../config/settings.ts';
import { parseSize, sizePattern } from '../config/size.ts';
import { errorAnswers } from './error-handler.ts';

const count = Type.Integer({ minimum: 0 });
const seconds = Type.Number({ description: 'Unix seconds' });

const viewSchema = Type.Object(
  {
    volume: Type.String(),
    rules: rulesSchema,
    freeBytes: Type.Union([count, Type.Null()], { description: 'free in the volume' }),
    wantedFreeBytes: Type.Integer({ description: 'what the rules keep free' }),
    short: Type.Integer({ description: 'of that, what nothing may be deleted for, as of the last pass' }),
    bytesPerSecond: Type.Number({
      description:
        'by which minutes become bytes: recorded in the last ten minutes, or in the fullest of the last 24 hours',
    }),
    held: Type.Array(Type.Object({ stream: Type.String(), bytes: count }), { description: 'as of the last pass' }),
    problem: Type.Union([Type.Any(), Type.Null()], { description: 'why nothing is deleted, where a pass failed' }),
  },
  { $id: 'Retention' },
);
export type RetentionView = Static<typeof viewSchema>;

const rule = Type.Enum(['age', 'bytes', 'free', 'thin']);
const reportSchema = Type.Object(
  {
    volume: Type.String(),
    dryRun: Type.Boolean(),
    reels: count,
    bytes: count,
    short: Type.Integer({ description: 'wanted, and nothing may be deleted for it' }),
    takesMost: Type.Boolean({ description: 'more than half of the archive: refused without allowMost' }),
    streams: Type.Array(
      Type.Object({
        stream: Type.String(),
        reels: count,
        bytes: count,
        from: seconds,
        to: seconds,
        rules: Type.Partial(Type.Object({ age: count, bytes: count, free: count, thin: count })),
      }),
    ),
    list: Type.Array(Type.Object({ stream: Type.String(), from: seconds, to: seconds, bytes: count, rule }), {
      description: 'in the order in which they go; the first thousand',
    }),
  },
  { $id: 'PurgeReport' },
);

const ruleChange = Type.Partial(Type.Object(volumeRuleFields), { additionalProperties: false });
export type RuleChange = Static<typeof ruleChange>;

export interface PurgeRequest {
  readonly dryRun: boolean;
  readonly allowMost: boolean;
}

export interface ThinRequest extends PurgeRequest {
  readonly bytes: number;
  readonly urgency: 1 | 2 | 3 | 4;
}

export interface RetentionPart {
  get(volume: string): Promise<RetentionView>;
  change(volume: string, change: RuleChange): Promise<RetentionView>;
  /** `undefined`: no rules of its own any more. */
  changeStream(volume: string, stream: string, change: OwnRules | undefined): Promise<RetentionView>;
  purge(volume: string, options: PurgeRequest): Promise<PurgeReport>;
  thin(volume: string, options: ThinRequest): Promise<PurgeReport>;
}

const nameParams = Type.Object({ name: Type.String({ pattern: volumeNamePattern }) });
const streamParams = Type.Object({ ...nameParams.properties, stream: Type.String({ pattern: streamNamePattern }) });
const purgeFields = {
  dryRun: Type.Boolean({ default: false, description: 'only tell what would go' }),
  allowMost: Type.Boolean({ default: false, description: 'also where it is more than half of the archive' }),
};
const tags = ['archive'];

export const archiveRetentionRoutes: FastifyPluginAsyncTypebox<{ retention: RetentionPart }> = async (
  app,
  { retention },
) => {
  app.addSchema(viewSchema);
  app.addSchema(reportSchema);
  const view = { 200: Type.Unsafe<RetentionView>(Type.Ref('Retention')), ...errorAnswers };
  const report = { 200: Type.Unsafe<PurgeReport>(Type.Ref('PurgeReport')), ...errorAnswers };

  app.get(
    '/volumes/:name/retention',
    { schema: { summary: 'What is kept in an open volume', tags, params: nameParams, response: view } },
    (request) => retention.get(request.params.name),
  );

  app.put(
    '/volumes/:name/retention',
    {
      schema: {
        summary: 'Change what is kept',
        description:
          'What is left out stays; null takes a limit away. Age and bytes hold for each stream that has none of its own. Nothing is deleted ' +
          'before the next pass, within a minute: `…/retention/run?dryRun=true` tells what that will take.',
        tags,
        params: nameParams,
        body: ruleChange,
        response: view,
      },
    },
    (request) => retention.change(request.params.name, request.body),
  );

  app.put(
    '/volumes/:name/retention/streams/:stream',
    {
      schema: {
        summary: 'Change what is kept of one stream',
        description: 'What is left out stays; null is no limit, whatever the volume says.',
        tags,
        params: streamParams,
        body: streamRulesSchema,
        response: view,
      },
    },
    (request) => retention.changeStream(request.params.name, request.params.stream, request.body),
  );

  app.delete(
    '/volumes/:name/retention/streams/:stream',
    { schema: { summary: 'Let the volume’s limits hold for a stream', tags, params: streamParams, response: view } },
    (request) => retention.changeStream(request.params.name, request.params.stream, undefined),
  );

  app.post(
    '/volumes/:name/retention/run',
    {
      schema: {
        summary: 'Delete now what the rules say',
        description:
          '`purge-too-large` where that is more than half of the archive; `episodes-unavailable` where the list of episodes cannot be had.',
        tags,
        params: nameParams,
        querystring: Type.Object(purgeFields, { additionalProperties: false }),
        response: report,
      },
    },
    (request) => retention.purge(request.params.name, request.query),
  );

  app.post(
    '/volumes/:name/thin',
    {
      schema: {
        summary: 'Free bytes now',
        description:
          'Deletes until so many bytes are free more, whatever the rules would keep, but never an episode. Urgency: 1 what the age rule ' +
          'takes within a day, 2 what has lived for half of its time, 3 the older half of each stream, 4 everything. `short` tells what is missing.',
        tags,
        params: nameParams,
        querystring: Type.Object(
          {
            bytes: Type.String({ pattern: sizePattern }),
            urgency: Type.Integer({ minimum: 1, maximum: 4, default: 1 }),
            ...purgeFields,
          },
          { additionalProperties: false },
        ),
        response: report,
      },
    },
    (request) => {
      const { bytes, urgency, ...options } = request.query;
      return retention.thin(request.params.name, {
        ...options,
        bytes: parseSize(bytes),
        urgency: urgency as ThinRequest['urgency'],
      });
    },
  );
};
