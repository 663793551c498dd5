/** /api/v1/volumes/:name/check: is what was recorded still what was recorded; and the remedy for an index. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { volumeNamePattern } from '../config/settings.ts';
import { errorAnswers } from './error-handler.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const finding = Type.Object({
  code: Type.String({ description: 'one of the table in docs/archive.md' }),
  severity: Type.Enum(['damage', 'notice']),
  path: Type.String({ description: "below the volume's root" }),
  what: Type.String(),
  hint: Type.String({ description: 'what to do' }),
});

const level = Type.Enum(['names', 'index', 'bytes'], {
  description: 'names and sizes · indexes and signatures · the sums of every byte',
});

const view = Type.Object({
  volume: Type.String(),
  state: Type.Enum(['running', 'done', 'stopped', 'failed'], { description: 'failed: problem says why' }),
  level,
  stream: nullable(Type.String()),
  startedAt: Type.Integer({ description: 'Unix milliseconds' }),
  endedAt: nullable(Type.Integer()),
  streams: Type.Integer(),
  streamsDone: Type.Integer(),
  reels: Type.Integer(),
  at: nullable(Type.String({ description: 'the reel that is being looked at' })),
  bytes: Type.Integer({ description: 'about as many were read' }),
  damage: Type.Integer(),
  notices: Type.Integer(),
  findings: Type.Array(finding, { description: 'the first thousand; damage and notices count all' }),
  problem: nullable(Type.String()),
});
export type ArchiveCheckView = Omit<Static<typeof view>, 'findings'> & {
  readonly findings: readonly Readonly<Static<typeof finding>>[];
};

const recovered = Type.Object({
  reel: Type.String(),
  records: Type.Integer({ description: 'segments that its index holds now' }),
  indexed: Type.Integer({ description: 'bytes of the reel that they name' }),
  cutBytes: Type.Integer({ description: "bytes taken off the reel's end" }),
  added: Type.Integer({ description: 'segments that had no record' }),
  lost: Type.Integer({
    description: 'records that hold and whose bytes the reel does not have: they were acknowledged',
  }),
  leftOver: Type.Integer({ description: 'bytes that stay in the reel and belong to no segment' }),
});
export type RecoveredView = Static<typeof recovered>;

export interface ArchiveCheckPart {
  start(
    volume: string,
    options: { level: 'names' | 'index' | 'bytes'; stream: string | undefined; bytesPerSecond: number },
  ): Promise<ArchiveCheckView>;
  view(volume: string): Promise<ArchiveCheckView>;
  stop(volume: string): Promise<ArchiveCheckView>;
  recover(volume: string, reel: string): Promise<RecoveredView>;
}

const answer = (found: ArchiveCheckView): Static<typeof view> => ({ ...found, findings: [...found.findings] });

const params = Type.Object({ name: Type.String({ pattern: volumeNamePattern }) });
const strict = { additionalProperties: false };
const tags = ['archive'];
const mib = 1024 * 1024;

export const archiveCheckRoutes: FastifyPluginAsyncTypebox<{ check: ArchiveCheckPart }> = async (app, { check }) => {
  app.post(
    '/volumes/:name/check',
    {
      schema: {
        summary: 'Begin to check what is recorded in an open volume',
        description:
          'Reads only, beside recordings and with a bounded rate. Reels that are being written are looked at as far as they were acknowledged. A lock of the volume ends it.',
        tags,
        params,
        querystring: Type.Object(
          {
            level: Type.Enum(['names', 'index', 'bytes'], { default: 'index' }),
            stream: Type.Optional(Type.String({ description: 'only this stream' })),
            rate: Type.Integer({ minimum: mib, default: 64 * mib, description: 'most bytes read in a second' }),
          },
          strict,
        ),
        response: { 202: view, ...errorAnswers },
      },
    },
    async (request, reply) => {
      const { level, stream, rate } = request.query;
      return reply
        .status(202)
        .send(answer(await check.start(request.params.name, { level, stream, bytesPerSecond: rate })));
    },
  );

  app.get(
    '/volumes/:name/check',
    {
      schema: {
        summary: 'How far the check is, or what the last one found',
        tags,
        params,
        response: { 200: view, ...errorAnswers },
      },
    },
    async (request) => answer(await check.view(request.params.name)),
  );

  app.delete(
    '/volumes/:name/check',
    { schema: { summary: 'Stop the check', tags, params, response: { 200: view, ...errorAnswers } } },
    async (request) => answer(await check.stop(request.params.name)),
  );

  app.post(
    '/volumes/:name/reels/recover',
    {
      schema: {
        summary: 'Make the index of one reel agree with the reel again',
        description:
          'As a start after a crash does it: records that do not hold are dropped, whole segments without one are indexed, a torn tail is cut off. From a reel that was closed nothing is cut but zeros at its end.',
        tags,
        params,
        querystring: Type.Object(
          { reel: Type.String({ description: 'as a check names it', examples: ['dvr/cam1/2026/11/21/14.ts'] }) },
          strict,
        ),
        response: { 200: recovered, ...errorAnswers },
      },
    },
    (request) => check.recover(request.params.name, request.query.reel),
  );
};
