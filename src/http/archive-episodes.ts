/** /api/v1/volumes/:name/episodes: ranges that retention never takes. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { episodeFields, episodeIdPattern, episodeSchema } from '../archive/episodes/episode.ts';
import { volumeNamePattern } from '../config/settings.ts';
import { errorAnswers } from './error-handler.ts';

const viewSchema = Type.Object(
  { ...episodeSchema.properties, expired: Type.Boolean({ description: 'it protects nothing any more' }) },
  { $id: 'Episode' },
);
export type EpisodeView = Static<typeof viewSchema>;

export interface EpisodesPart {
  list(volume: string): Promise<readonly EpisodeView[]>;
  put(volume: string, episode: Omit<EpisodeView, 'expired'>, replace: boolean): Promise<EpisodeView>;
  /** False where there was none. */
  remove(volume: string, id: string): Promise<boolean>;
}

const nameParams = Type.Object({ name: Type.String({ pattern: volumeNamePattern }) });
const episodeParams = Type.Object({ ...nameParams.properties, id: Type.String({ pattern: episodeIdPattern }) });
const { stream, from, to, note } = episodeFields;
const tags = ['archive'];

export const archiveEpisodeRoutes: FastifyPluginAsyncTypebox<{ episodes: EpisodesPart }> = async (
  app,
  { episodes },
) => {
  app.addSchema(viewSchema);
  const episode = Type.Unsafe<EpisodeView>(Type.Ref('Episode'));

  app.get(
    '/volumes/:name/episodes',
    {
      schema: {
        summary: 'The episodes of an open volume',
        tags,
        params: nameParams,
        response: { 200: Type.Object({ episodes: Type.Array(episode) }), ...errorAnswers },
      },
    },
    async (request) => ({ episodes: [...(await episodes.list(request.params.name))] }),
  );

  app.put(
    '/volumes/:name/episodes/:id',
    {
      schema: {
        summary: 'Protect a range from retention',
        description:
          'Durable when it is answered. The same again is its own answer. `already-exists` for another range of this id, unless `replace`.',
        tags,
        params: episodeParams,
        // In the query: so the audit trail says what was protected.
        querystring: Type.Object(
          {
            stream,
            from,
            to,
            expiresAt: Type.Optional(
              Type.Number({ minimum: 0, description: 'Unix seconds; without it, it protects until it is removed' }),
            ),
            note: Type.String({ ...note, default: '' }),
            replace: Type.Boolean({ default: false }),
          },
          { additionalProperties: false },
        ),
        response: { 200: episode, ...errorAnswers },
      },
    },
    (request) => {
      const { replace, expiresAt = null, ...rest } = request.query;
      return episodes.put(request.params.name, { id: request.params.id, expiresAt, ...rest }, replace);
    },
  );

  app.delete(
    '/volumes/:name/episodes/:id',
    {
      schema: {
        summary: 'Protect a range no longer',
        description: 'Called again it succeeds, with `removed` false.',
        tags,
        params: episodeParams,
        response: {
          200: Type.Object({
            volume: Type.String(),
            id: Type.String(),
            removed: Type.Boolean({ description: 'false: there was no such episode' }),
          }),
          ...errorAnswers,
        },
      },
    },
    async (request) => {
      const { name, id } = request.params;
      return { volume: name, id, removed: await episodes.remove(name, id) };
    },
  );
};
