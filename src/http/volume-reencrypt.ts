/** /api/v1/volumes/:name/reencrypt: a new volume key. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { volumeNamePattern } from '../config/settings.ts';
import { errorAnswers } from './error-handler.ts';
import { acceptSecrets, secretOf } from './secret-body.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const reencryption = Type.Object({
  state: Type.Enum(['none', 'running', 'unfinished', 'rewritten'], {
    description: 'unfinished: it was ended in the middle, resume it · rewritten: the header backups are being renewed',
  }),
  progress: nullable(
    Type.Object({
      doneBytes: Type.Integer(),
      totalBytes: Type.Integer(),
      bytesPerSecond: Type.Integer(),
      remainingMs: Type.Integer(),
    }),
  ),
  problem: nullable(Type.String({ description: 'the last thing that an unfinished one said' })),
});
export type ReencryptionView = Static<typeof reencryption>;

/** What the routes need. A secret stays the caller's: it is zeroed after the call. Without one the key file is used. */
export interface ReencryptPart {
  status(name: string): Promise<ReencryptionView>;
  begin(name: string, options: { readonly dropOtherKeys: boolean }, current?: Buffer): Promise<ReencryptionView>;
  resume(name: string, current?: Buffer): Promise<ReencryptionView>;
}

const params = Type.Object({ name: Type.String({ pattern: volumeNamePattern }) });
const strict = { additionalProperties: false };
const tags = ['keys'];
const consumes = ['application/octet-stream'];
const response = { 202: reencryption, ...errorAnswers };
const body = 'The body is a key that opens the volume; without one its key file is used.';

export const volumeReencryptRoutes: FastifyPluginAsyncTypebox<{ reencryption: ReencryptPart }> = async (
  app,
  options,
) => {
  const part = options.reencryption;
  acceptSecrets(app);

  app.get(
    '/volumes/:name/reencrypt',
    {
      schema: { summary: 'How far a reencryption is', tags, params, response: { 200: reencryption, ...errorAnswers } },
    },
    (request) => part.status(request.params.name),
  );

  app.post(
    '/volumes/:name/reencrypt',
    {
      schema: {
        summary: 'Give a LUKS2 volume a new volume key',
        description: `${body} All data is written again: of a locked volume, which stays locked meanwhile, or of one that is open for writing with the kernel engine, which stays open and is recorded into. A lock stops the work after the piece it is at, and the next open goes on with it. The answer comes when the work is under way; it survives a restart of the service.`,
        tags,
        consumes,
        params,
        querystring: Type.Object(
          {
            dropOtherKeys: Type.Boolean({
              default: false,
              description: 'the keys of other slots are not known and cannot be carried over: let them go',
            }),
          },
          strict,
        ),
        response,
      },
    },
    async (request, reply) => {
      const { dropOtherKeys } = request.query;
      return reply.status(202).send(await part.begin(request.params.name, { dropOtherKeys }, secretOf(request)));
    },
  );

  app.post(
    '/volumes/:name/reencrypt/resume',
    {
      schema: {
        summary: 'Go on with a reencryption that was ended in the middle',
        description: body,
        tags,
        consumes,
        params,
        response,
      },
    },
    async (request, reply) => reply.status(202).send(await part.resume(request.params.name, secretOf(request))),
  );
};
