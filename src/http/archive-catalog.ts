/** /api/v1/volumes/:name/catalog: what the archive knows of its reels without opening them, and how it is made anew. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { volumeNamePattern } from '../config/settings.ts';
import { errorAnswers } from './error-handler.ts';

const view = Type.Object({
  volume: Type.String(),
  state: Type.Enum(['starting', 'rebuilding', 'ready', 'failed', 'closed'], {
    description: 'while it is not ready the reels are asked, and retention waits; failed: problem says why',
  }),
  rebuild: Type.Union(
    [
      Type.Object({
        why: Type.String(),
        streams: Type.Integer(),
        streamsDone: Type.Integer(),
        reels: Type.Integer({ description: 'found so far' }),
      }),
      Type.Null(),
    ],
    { description: 'the one under way, or the last one since the volume was opened' },
  ),
  problem: Type.Union([Type.String(), Type.Null()]),
});
export type ArchiveCatalogView = Static<typeof view>;

export interface ArchiveCatalogPart {
  view(volume: string): Promise<ArchiveCatalogView>;
  rebuild(volume: string): Promise<ArchiveCatalogView>;
}

const params = Type.Object({ name: Type.String({ pattern: volumeNamePattern }) });
const tags = ['archive'];

export const archiveCatalogRoutes: FastifyPluginAsyncTypebox<{ catalog: ArchiveCatalogPart }> = async (
  app,
  { catalog },
) => {
  app.get(
    '/volumes/:name/catalog',
    {
      schema: {
        summary: 'The state of the catalog of an open volume, and how far a rebuild is',
        tags,
        params,
        response: { 200: view, ...errorAnswers },
      },
    },
    (request) => catalog.view(request.params.name),
  );

  app.post(
    '/volumes/:name/catalog/rebuild',
    {
      schema: {
        summary: 'Make the catalog of an open volume anew from the reels',
        description:
          'For reels that were copied into the volume or removed from it by hand, and for a catalog that has failed. Reads the index of every reel, beside recordings; playback goes on, retention waits. One that is under way goes on.',
        tags,
        params,
        response: { 202: view, ...errorAnswers },
      },
    },
    async (request, reply) => reply.status(202).send(await catalog.rebuild(request.params.name)),
  );
};
