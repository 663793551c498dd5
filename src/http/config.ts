/** /api/v1/config: the configuration file, changed with its comments kept, tried out where it is risky, and taken back. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import { longestText } from '../config/file/parse.ts';
import { configInvalid } from '../config/file/problem.ts';
import { decodeText } from '../config/file/read.ts';
import type { AuditPart } from './audit.ts';
import { errorAnswers } from './error-handler.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const strict = { additionalProperties: false };

const problem = Type.Object({
  line: nullable(Type.Integer()),
  column: nullable(Type.Integer()),
  key: Type.String({ description: 'dotted; empty where it is about no key' }),
  expected: Type.String(),
  got: Type.String(),
});

const difference = Type.Object({
  key: Type.String(),
  from: Type.Any({ description: '(secret) in the place of a secret' }),
  to: Type.Any(),
  applies: Type.Enum(['at once', 'at the next start', 'not while the environment sets it']),
  risky: Type.Boolean({ description: 'could cut the admin off' }),
});

const trial = Type.Object({
  id: Type.String(),
  by: Type.String(),
  until: Type.String({ description: 'ISO 8601; it is taken back then' }),
  changes: Type.Array(difference),
});

const viewSchema = Type.Object(
  {
    file: Type.String(),
    text: Type.String({ description: 'that holds; each secret in it stands as (secret N)' }),
    values: Type.Any({ description: 'what holds now, with defaults and with what the environment sets' }),
    overridden: Type.Array(Type.Object({ key: Type.String(), by: Type.String() }), {
      description: 'keys that the environment sets: the file changes nothing there',
    }),
    waiting: Type.Array(Type.String(), { description: 'keys that hold from the next start on' }),
    problems: Type.Array(problem, { description: 'why the file on the disk is not the one that holds' }),
    locked: nullable(
      Type.Object({ file: Type.String(), since: Type.String(), uid: Type.Integer(), reason: nullable(Type.String()) }),
    ),
    trial: nullable(trial),
  },
  { $id: 'Config' },
);

const savedSchema = Type.Object(
  {
    changes: Type.Array(difference),
    trial: nullable(trial),
  },
  { $id: 'ConfigSaved' },
);

const versionSchema = Type.Object({
  id: Type.Integer(),
  time: Type.String(),
  by: Type.String(),
  how: Type.Enum(['change', 'rollback', 'file']),
});

export type ConfigView = Static<typeof viewSchema>;
export type ConfigSaved = Static<typeof savedSchema>;
export type ConfigVersion = Static<typeof versionSchema>;
export type ConfigProblem = Static<typeof problem>;

export interface ConfigPart {
  /** The tag is of the text on the disk. */
  view(): Promise<{ readonly view: ConfigView; readonly tag: string }>;
  change(change: {
    readonly text?: string;
    readonly patch?: Readonly<Record<string, unknown>>;
    readonly by: string;
    readonly ifMatch: string | undefined;
  }): Promise<ConfigSaved>;
  /** Without a text: of the file. */
  validate(text: string | undefined): Promise<readonly ConfigProblem[]>;
  history(): Promise<ConfigVersion[]>;
  /** From a version to another one, or to what holds. */
  diff(from: number, to: number | undefined): Promise<string>;
  rollback(id: number, by: string): Promise<ConfigSaved>;
  confirm(id: string): Promise<ConfigSaved>;
  cancel(id: string, by: string): Promise<void>;
}

const tags = ['config'];
const consumes = ['application/yaml'];
const ifMatch = Type.String({
  maxLength: 100,
  description: 'the ETag of the text that the change was made from; * for any',
});
const versionParams = Type.Object({ id: Type.Integer({ minimum: 1 }) });
const trialBody = Type.Object({ id: Type.String({ maxLength: 100, description: 'of the trial' }) }, strict);

export const configRoutes: FastifyPluginAsyncTypebox<{ config: ConfigPart; peerOf: AuditPart['peerOf'] }> = async (
  app,
  { config, peerOf },
) => {
  app.addSchema(viewSchema);
  app.addSchema(savedSchema);
  app.addContentTypeParser(
    ['application/yaml', 'text/yaml', 'text/plain'],
    { parseAs: 'buffer', bodyLimit: longestText },
    async (_request: FastifyRequest, bytes: Buffer) => {
      const { text, problems } = decodeText(bytes);
      if (text === undefined) throw configInvalid('the body', problems);
      return text;
    },
  );

  const by = (request: FastifyRequest): string => {
    if (request.caller.kind === 'local') return `user ${String(peerOf(request).uid ?? 'unknown')} on this machine`;
    return `${request.caller.kind === 'admin' ? request.caller.user : request.caller.kind} from ${request.ip}`;
  };
  const saved = { 200: Type.Unsafe<ConfigSaved>(Type.Ref('ConfigSaved')), ...errorAnswers };

  app.get(
    '/config',
    {
      schema: {
        summary: 'The configuration that holds, and the file it comes from',
        description: 'The ETag of the answer is what a change names in If-Match.',
        tags,
        response: { 200: Type.Unsafe<ConfigView>(Type.Ref('Config')), ...errorAnswers },
      },
    },
    async (_request, reply) => {
      const { view, tag } = await config.view();
      reply.header('etag', tag);
      return view;
    },
  );

  app.put(
    '/config',
    {
      schema: {
        summary: 'Save the whole text',
        description:
          'YAML. (secret N) where the text that was read had it keeps that secret. `config-invalid` names every problem with line and column in ' +
          '`details.problems`; `config-changed` (412) where somebody was faster; `config-locked` (423) says who locked it. With a risky key in it the ' +
          'change holds for 60 s unless it is confirmed: `trial` is its id then, and nothing is saved before.',
        tags,
        consumes,
        headers: Type.Object({ 'if-match': ifMatch }),
        body: Type.String({ description: 'the text of the file' }),
        response: saved,
      },
    },
    (request) => config.change({ text: request.body, by: by(request), ifMatch: request.headers['if-match'] }),
  );

  app.patch(
    '/config',
    {
      schema: {
        summary: 'Set some keys',
        description:
          'A JSON merge patch (RFC 7396): what is left out stays, null takes a key away, so that its default holds, and a list is replaced as a whole. ' +
          'Comments stay. Otherwise as PUT.',
        tags,
        headers: Type.Object({ 'if-match': Type.Optional(ifMatch) }),
        body: Type.Record(Type.String(), Type.Any(), { minProperties: 1 }),
        response: saved,
      },
    },
    (request) => config.change({ patch: request.body, by: by(request), ifMatch: request.headers['if-match'] }),
  );

  app.post(
    '/config/validate',
    {
      schema: {
        summary: 'Whether a text could be saved; nothing is changed',
        description: 'Without a body: the file as it is on the disk.',
        tags,
        consumes,
        response: {
          200: Type.Object({ valid: Type.Boolean(), problems: Type.Array(problem) }),
          ...errorAnswers,
        },
      },
    },
    async (request) => {
      const problems = await config.validate(typeof request.body === 'string' ? request.body : undefined);
      return { valid: problems.length === 0, problems: [...problems] };
    },
  );

  app.get(
    '/config/history',
    {
      schema: {
        summary: 'Versions of the configuration, newest first',
        tags,
        response: { 200: Type.Object({ versions: Type.Array(versionSchema) }), ...errorAnswers },
      },
    },
    async () => ({ versions: await config.history() }),
  );

  app.get(
    '/config/history/:id/diff',
    {
      schema: {
        summary: 'From a version to another one, or to what holds, as diff -u prints it',
        tags,
        params: versionParams,
        querystring: Type.Object({ to: Type.Optional(Type.Integer({ minimum: 1 })) }, strict),
        response: {
          200: Type.Object({ diff: Type.String({ description: 'empty where nothing differs' }) }),
          ...errorAnswers,
        },
      },
    },
    async (request) => ({ diff: await config.diff(request.params.id, request.query.to) }),
  );

  app.post(
    '/config/rollback',
    {
      schema: {
        summary: 'Put a version in the place of what holds',
        description: 'A change like any other, with a version of its own.',
        tags,
        body: Type.Object({ id: Type.Integer({ minimum: 1 }) }, strict),
        response: saved,
      },
    },
    (request) => config.rollback(request.body.id, by(request)),
  );

  app.post(
    '/config/confirm',
    { schema: { summary: 'Keep and save what is on trial', tags, body: trialBody, response: saved } },
    (request) => config.confirm(request.body.id),
  );

  app.post(
    '/config/cancel',
    {
      schema: {
        summary: 'Take back at once what is on trial',
        tags,
        body: trialBody,
        response: { 204: Type.Null(), ...errorAnswers },
      },
    },
    async (request, reply) => {
      await config.cancel(request.body.id, by(request));
      return reply.status(204).send(null);
    },
  );
};
