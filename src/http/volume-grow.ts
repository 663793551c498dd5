/** POST /api/v1/volumes/:name/grow: a larger volume, in use or locked. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { volumeNamePattern } from '../config/settings.ts';
import { parseSize, sizePattern } from '../config/size.ts';
import { errorAnswers } from './error-handler.ts';
import type { VolumeView } from './volumes.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const grown = Type.Object({
  from: Type.Integer({ description: 'net bytes before' }),
  to: Type.Integer({ description: 'net bytes now' }),
  filesystem: Type.Enum(['grown', 'at-open'], {
    description: 'at-open: the container is larger, the filesystem in it gets larger when the volume is opened next',
  }),
  filesystemSize: nullable(Type.Integer({ description: 'bytes' })),
  reason: nullable(Type.String({ description: 'why the filesystem waits for the next open' })),
});

export interface GrownView {
  readonly volume: VolumeView;
  readonly grown: Static<typeof grown>;
}

/** What the routes need of whoever grows volumes. `size` is net. */
export interface VolumeGrowPart {
  grow(name: string, size: number | undefined): Promise<GrownView>;
}

const newSize =
  'net, as for a new volume: bytes of the decrypted device, or 750G, 1.5TiB; the container is larger by its header. ' +
  'None for a volume on a block device: it grows to what that has now';

export const volumeGrowRoutes: FastifyPluginAsyncTypebox<{ growth: VolumeGrowPart }> = async (app, { growth }) => {
  const answer = Type.Object({ volume: Type.Unsafe<VolumeView>(Type.Ref('Volume')), grown });
  app.post(
    '/volumes/:name/grow',
    {
      schema: {
        summary: 'Make a volume larger',
        description:
          'Recording and playback go on, and no key is needed. The same size again finishes a grow that was interrupted; a smaller one is refused: a volume never shrinks.',
        tags: ['volumes'],
        params: Type.Object({ name: Type.String({ pattern: volumeNamePattern }) }),
        querystring: Type.Object(
          { size: Type.Optional(Type.String({ pattern: sizePattern, description: newSize })) },
          { additionalProperties: false },
        ),
        response: { 200: answer, ...errorAnswers },
      },
    },
    ({ params: { name }, query: { size } }) => growth.grow(name, size === undefined ? undefined : parseSize(size)),
  );
};
