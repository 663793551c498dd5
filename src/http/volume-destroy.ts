/** DELETE /api/v1/volumes/:name: the end of a volume. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { volumeNamePattern } from '../config/settings.ts';
import type { DestroyReport } from '../volume/destroy/report.ts';
import { errorAnswers } from './error-handler.ts';

export interface VolumeDestroyPart {
  destroy(name: string, confirm: string): Promise<DestroyReport>;
}

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const bytes = Type.Integer({ description: 'bytes' });

const reportSchema = Type.Unsafe<DestroyReport>(
  Type.Object({
    name: Type.String(),
    container: Type.String(),
    uuid: nullable(Type.String()),
    resumed: Type.Boolean({ description: 'this call finished an interrupted one' }),
    keyslots: Type.Array(Type.Integer(), { description: 'erased, and proven to be gone' }),
    headerBytes: Type.Integer({ description: 'bytes of header and key material, overwritten and read back' }),
    backups: Type.Object({ files: Type.Integer(), bytes }),
    keyFile: nullable(Type.Object({ file: Type.String(), bytes })),
    containerBytes: Type.Integer({ description: 'bytes of the container that was unlinked' }),
    mountPoint: nullable(Type.String()),
    notes: Type.Array(Type.String()),
    notGuaranteed: Type.Array(Type.String(), { description: 'what is out of reach, in words' }),
  }),
);

export const volumeDestroyRoutes: FastifyPluginAsyncTypebox<{ destroyer: VolumeDestroyPart }> = async (
  app,
  { destroyer },
) => {
  app.delete(
    '/volumes/:name',
    {
      schema: {
        summary: 'Destroy a volume',
        description:
          'Erases its keys, its header, the header backups and the key file, then removes the container. Only a locked volume, and only with its name again in `confirm`. There is no way back.',
        tags: ['volumes'],
        params: Type.Object({ name: Type.String({ pattern: volumeNamePattern }) }),
        querystring: Type.Object(
          { confirm: Type.String({ maxLength: 255, description: 'the name of the volume again' }) },
          { additionalProperties: false },
        ),
        response: { 200: reportSchema, ...errorAnswers },
      },
    },
    (request) => destroyer.destroy(request.params.name, request.query.confirm),
  );
};
