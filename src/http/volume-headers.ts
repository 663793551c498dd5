/** /api/v1/volumes/:name/header: backups, damage, restore. No key is asked for: who may do this is who may destroy the volume. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { backupNamePattern } from '../config/schema-words.ts';
import { volumeNamePattern } from '../config/settings.ts';
import type { HeaderBackups, HeaderResults } from '../helper/protocol/header.ts';
import { errorAnswers } from './error-handler.ts';

/** What the routes need of the headers of the volumes. */
export interface VolumeHeadersPart {
  list(name: string): Promise<HeaderBackups>;
  backUp(name: string): Promise<HeaderResults['header-backup']>;
  compare(name: string, backup?: string): Promise<HeaderResults['header-compare']>;
  check(name: string): Promise<HeaderResults['header-check']>;
  restore(
    name: string,
    options: { readonly backup?: string; readonly force: boolean },
  ): Promise<HeaderResults['header-restore']>;
  repair(name: string): Promise<HeaderResults['header-repair']>;
}

const tags = ['volumes'];
const params = Type.Object({ name: Type.String({ pattern: volumeNamePattern }) });
const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const words = Type.Array(Type.String());
const slots = Type.Array(Type.Integer());

const backupName = Type.Optional(
  Type.String({
    pattern: backupNamePattern,
    description: 'a name of the list; default: the newest backup',
  }),
);

const backupFile = Type.Object({
  name: Type.String(),
  uuid: Type.String(),
  kind: Type.Enum(['backup', 'replaced'], { description: 'replaced: what a restore found in the container' }),
  foreign: nullable(
    Type.String({
      description: 'not null: of another container, this one, whatever its name says; no restore takes it',
    }),
  ),
  at: Type.String(),
  bytes: Type.Integer(),
  files: Type.Array(Type.String(), { description: 'the same bytes in each place' }),
});
const places = Type.Array(Type.String(), { description: 'the directories of the backups' });
const backups = Type.Array(backupFile);
const listSchema = Type.Unsafe<HeaderBackups>(Type.Object({ places, backups }));
const madeSchema = Type.Unsafe<HeaderResults['header-backup']>(
  Type.Object({ places, backups, removedFiles: Type.Integer({ description: 'older ones that were shredded' }) }),
);

const headerState = Type.Object({
  type: nullable(Type.Enum(['luks1', 'luks2'])),
  uuid: nullable(Type.String()),
  copies: Type.Array(
    Type.Object({
      place: Type.Enum(['primary', 'secondary']),
      sequence: nullable(Type.String({ description: 'counts the writes' })),
      problem: nullable(Type.String()),
    }),
  ),
});

const compareSchema = Type.Unsafe<HeaderResults['header-compare']>(
  Type.Object({
    backupName: Type.String(),
    same: Type.Boolean({ description: 'every byte of header and key material' }),
    container: headerState,
    backup: headerState,
    keyslots: Type.Object({ both: slots, containerOnly: slots, backupOnly: slots }),
    differences: words,
  }),
);

const checkSchema = Type.Unsafe<HeaderResults['header-check']>(
  Type.Object({
    container: Type.String(),
    state: headerState,
    size: Type.Integer(),
    leastSize: nullable(Type.Integer()),
    registeredSize: nullable(Type.Integer()),
    backups,
    ok: Type.Boolean(),
    problems: Type.Array(
      Type.Object({
        kind: Type.String(),
        severity: Type.Enum(['blocks', 'warns'], { description: 'blocks: the volume does not open' }),
        text: Type.String(),
        nextStep: Type.String(),
      }),
    ),
  }),
);

const restoreSchema = Type.Unsafe<HeaderResults['header-restore']>(
  Type.Object({
    restored: Type.String(),
    replaced: Type.String({ description: 'the backup of what was there before' }),
    bytes: Type.Integer(),
    keyslots: Type.Object({ broughtBack: slots, takenAway: slots }),
  }),
);

const repairSchema = Type.Unsafe<HeaderResults['header-repair']>(
  Type.Object({ repaired: Type.Boolean(), before: headerState, after: headerState }),
);

export const volumeHeaderRoutes: FastifyPluginAsyncTypebox<{ headers: VolumeHeadersPart }> = async (
  app,
  { headers },
) => {
  app.get(
    '/volumes/:name/header/backups',
    { schema: { summary: 'Header backups of a volume', tags, params, response: { 200: listSchema, ...errorAnswers } } },
    (request) => headers.list(request.params.name),
  );

  app.post(
    '/volumes/:name/header/backups',
    {
      schema: {
        summary: 'Back the header up',
        description:
          'Into both places, read back. Then those are shredded that open with keys the volume no longer has.',
        tags,
        params,
        response: { 201: madeSchema, ...errorAnswers },
      },
    },
    async (request, reply) => reply.status(201).send(await headers.backUp(request.params.name)),
  );

  app.get(
    '/volumes/:name/header/compare',
    {
      schema: {
        summary: 'Compare the header with a backup',
        tags,
        params,
        querystring: Type.Object({ backup: backupName }, { additionalProperties: false }),
        response: { 200: compareSchema, ...errorAnswers },
      },
    },
    (request) => headers.compare(request.params.name, request.query.backup),
  );

  app.get(
    '/volumes/:name/header/check',
    {
      schema: {
        summary: 'Look for damage of the header',
        description: 'Changes nothing. The answer is 200 whatever is found.',
        tags,
        params,
        response: { 200: checkSchema, ...errorAnswers },
      },
    },
    (request) => headers.check(request.params.name),
  );

  app.post(
    '/volumes/:name/header/restore',
    {
      schema: {
        summary: 'Restore the header from a backup',
        description:
          'Of a locked volume. Refused for a backup of another container, and, without `force`, for one with other keys than the container has.',
        tags,
        params,
        querystring: Type.Object(
          { backup: backupName, force: Type.Boolean({ default: false, description: 'accept the other keys' }) },
          { additionalProperties: false },
        ),
        response: { 200: restoreSchema, ...errorAnswers },
      },
    },
    (request) => headers.restore(request.params.name, request.query),
  );

  app.post(
    '/volumes/:name/header/repair',
    {
      schema: {
        summary: 'Write a damaged header copy anew from the whole one',
        tags,
        params,
        response: { 200: repairSchema, ...errorAnswers },
      },
    },
    (request) => headers.repair(request.params.name),
  );
};
