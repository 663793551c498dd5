/** /api/v1/volumes/:name/leases: mounts of an open volume for other services on this machine. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { volumeNamePattern } from '../config/settings.ts';
import { errorAnswers } from './error-handler.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const leaseSchema = Type.Object(
  {
    consumer: Type.String(),
    path: Type.String({ description: 'inside the volume; "." is all of it' }),
    readOnly: Type.Boolean(),
    uid: nullable(Type.Integer({ description: 'null, like gid and createdAt: the service has no record of it' })),
    gid: nullable(Type.Integer()),
    persistent: Type.Boolean(),
    createdAt: nullable(Type.String()),
    state: Type.Enum(['mounted', 'waiting', 'missing'], { description: 'waiting: for the volume to be opened' }),
    mountPoint: nullable(Type.String({ description: 'what the consumer is told, while it is mounted' })),
  },
  { $id: 'Lease' },
);
export type LeaseView = Static<typeof leaseSchema>;

/** Also the name of a directory. */
const consumer = Type.String({ pattern: volumeNamePattern, description: 'a name for who gets it' });
const accountId = Type.Integer({ minimum: 1, maximum: 0xfffffffe });

const leaseBody = Type.Object(
  {
    consumer,
    path: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 4095,
        description: 'default: a directory of its own, consumers/<consumer>; of a read-only lease: dvr',
      }),
    ),
    readOnly: Type.Boolean({ default: false }),
    uid: accountId,
    gid: accountId,
    persistent: Type.Boolean({ default: true, description: 'mounted again whenever the volume is opened' }),
  },
  { additionalProperties: false },
);
export type LeaseRequest = Static<typeof leaseBody>;

export interface VolumeLeasesPart {
  list(volume: string): Promise<readonly LeaseView[]>;
  add(volume: string, lease: LeaseRequest): Promise<LeaseView>;
  /** False where there was none. */
  remove(volume: string, consumer: string): Promise<boolean>;
}

const nameParams = Type.Object({ name: Type.String({ pattern: volumeNamePattern }) });
const leaseParams = Type.Object({ ...nameParams.properties, consumer });
const tags = ['leases'];

export const volumeLeaseRoutes: FastifyPluginAsyncTypebox<{ leases: VolumeLeasesPart }> = async (app, { leases }) => {
  app.addSchema(leaseSchema);

  app.get(
    '/volumes/:name/leases',
    {
      schema: {
        summary: 'The leases of a volume',
        tags,
        params: nameParams,
        response: {
          200: Type.Object({ leases: Type.Array(Type.Unsafe<LeaseView>(Type.Ref('Lease'))) }),
          ...errorAnswers,
        },
      },
    },
    async (request) => ({ leases: [...(await leases.list(request.params.name))] }),
  );

  app.post(
    '/volumes/:name/leases',
    {
      schema: {
        summary: 'Lease a directory of an open volume',
        description:
          'Mounts it for the account uid:gid, without programs, devices and set-uid files. Recordings are leased read-only. The same ' +
          'lease again is its own answer. While the lease is mounted the volume locks with drain or slam only.',
        tags,
        params: nameParams,
        body: leaseBody,
        response: { 201: Type.Unsafe<LeaseView>(Type.Ref('Lease')), ...errorAnswers },
      },
    },
    async (request, reply) => reply.status(201).send(await leases.add(request.params.name, request.body)),
  );

  app.delete(
    '/volumes/:name/leases/:consumer',
    {
      schema: {
        summary: 'End a lease',
        description:
          'Refused while the consumer uses it; the holders are in the details. Nothing is deleted in the volume. Called again it succeeds, with `removed` false.',
        tags,
        params: leaseParams,
        response: {
          200: Type.Object({
            volume: Type.String(),
            consumer: Type.String(),
            removed: Type.Boolean({ description: 'false: there was no such lease' }),
          }),
          ...errorAnswers,
        },
      },
    },
    async (request) => {
      const { name, consumer: leased } = request.params;
      return { volume: name, consumer: leased, removed: await leases.remove(name, leased) };
    },
  );
};
