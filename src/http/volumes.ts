/** /api/v1/volumes: make, open and look at volumes. Passphrases come as the bytes of the body, everything else in the query. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { modePattern } from '../config/schema-words.ts';
import { volumeNamePattern } from '../config/settings.ts';
import { parseSize, sizePattern } from '../config/size.ts';
import { ReelError } from '../errors.ts';
import { createOptions } from '../helper/protocol/volume.ts';
import { type PerformanceFlag, performanceFlags } from '../volume/engine/performance.ts';
import type { CreateChoices } from '../volume/manager/new-volume.ts';
import { errorAnswers } from './error-handler.ts';
import { acceptSecrets, secretOf } from './secret-body.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const volumeSchema = Type.Object(
  {
    name: Type.String(),
    state: Type.Enum([
      'absent',
      'creating',
      'locked',
      'opening',
      'open',
      'draining',
      'locking',
      'destroying',
      'failed',
    ]),
    container: Type.String({ description: 'path of the LUKS file, or of the block device' }),
    blockDevice: nullable(Type.String({ description: 'that the container is; null for a file' })),
    mountPoint: nullable(Type.String()),
    uuid: nullable(Type.String()),
    type: Type.Enum(['luks1', 'luks2']),
    cipher: nullable(Type.String()),
    engine: Type.Enum(['kernel', 'userspace']),
    size: Type.Integer({ description: 'bytes of the container' }),
    netSize: Type.Integer({ description: 'bytes of the decrypted device: what `create` was asked for' }),
    capacity: nullable(Type.Integer({ description: 'bytes the mounted filesystem can hold' })),
    available: nullable(
      Type.Integer({
        description: 'bytes free in the mounted filesystem, as of the last second',
      }),
    ),
    filesystem: nullable(Type.String()),
    sparse: nullable(Type.Boolean({ description: 'blocks of the container are not allocated yet' })),
    label: Type.Optional(Type.String()),
    keyBits: Type.Optional(nullable(Type.Integer())),
    sectorSize: Type.Optional(Type.Integer({ description: 'of the encrypted sectors, in bytes' })),
    performance: Type.Optional(Type.Array(Type.Enum([...performanceFlags]))),
    discard: Type.Optional(Type.Boolean()),
    progress: nullable(
      Type.Object(
        {
          verb: Type.String(),
          step: nullable(Type.String({ description: 'the last step that is done' })),
          runningMs: Type.Integer(),
        },
        { description: 'what is being done to it, while that takes longer' },
      ),
    ),
    keyFile: nullable(Type.String({ description: 'path, where a key file opens it' })),
    key: Type.Enum(['passphrase', 'keyFile'], { description: 'what opens it' }),
    createdAt: Type.String(),
    autoOpen: Type.Optional(Type.Boolean({ description: 'opens at the start without an admin' })),
    device: nullable(Type.String({ description: 'what is mounted, while it is open' })),
    directIo: nullable(Type.Boolean()),
    readOnly: nullable(Type.Boolean({ description: 'while it is open: nothing can be written into it' })),
    blockPid: nullable(Type.Integer({ description: 'process of the userspace engine' })),
    growing: nullable(
      Type.Object(
        {
          from: Type.Integer(),
          to: Type.Integer(),
          allocated: nullable(Type.Integer({ description: 'of them, those that have storage, while the grow runs' })),
          running: Type.Boolean({ description: 'false: it waits for the next open (for writing)' }),
        },
        { description: 'a grow that runs, or that the next open finishes; net bytes' },
      ),
    ),
    header: nullable(
      Type.Object(
        { problem: Type.String(), nextStep: Type.String() },
        { description: 'what is wrong with the LUKS header, although the volume may open' },
      ),
    ),
    failure: nullable(
      Type.Object(
        { error: Type.Any(), nextStep: Type.String() },
        { description: 'why it is in `failed`; of a locked one, why it did not open without an admin' },
      ),
    ),
    conditions: Type.Array(
      Type.Object({
        kind: Type.Enum(['host-space', 'volume-space', 'storage-stalled', 'filesystem-errors', 'unusable']),
        since: Type.String(),
        message: Type.String(),
        nextStep: Type.String(),
        pausesRecording: Type.Boolean({ description: 'recording waits until it is over' }),
      }),
      { description: 'what is not as it should be although the volume is open' },
    ),
  },
  { $id: 'Volume' },
);
export type VolumeView = Static<typeof volumeSchema>;

/** `size` is net: bytes of the decrypted device. Either that or `device`, a block device, of which all is taken. */
export interface CreateOptions extends CreateChoices {
  readonly size?: number;
  readonly device?: string;
  readonly overwriteSignatures?: string[];
  readonly type: 'luks1' | 'luks2';
  readonly engine?: 'kernel' | 'userspace';
  readonly open: boolean;
}

/** What the routes need of the volume manager. A secret stays the caller's: it is zeroed after the call. Without one the key file is used. */
export interface VolumesPart {
  list(): Promise<readonly VolumeView[]>;
  get(name: string): Promise<VolumeView>;
  create(name: string, options: CreateOptions, secret: Buffer | undefined): Promise<VolumeView>;
  open(name: string, options: { readonly readOnly: boolean }, secret: Buffer | undefined): Promise<VolumeView>;
}

const nameParams = Type.Object({ name: Type.String({ pattern: volumeNamePattern }) });

const createQuery = Type.Object(
  {
    size: Type.Optional(
      Type.String({
        pattern: sizePattern,
        description: 'net: bytes of the decrypted device, or 500G, 1.5TiB; the container is larger by its header',
      }),
    ),
    device: Type.Optional(
      Type.String({
        pattern: '^/dev/',
        maxLength: 4096,
        description:
          'in place of a size: this block device, all of it, becomes the container; one of REELVAULT_DEVICES',
      }),
    ),
    overwriteSignature: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_.+-]{1,32}(,[A-Za-z0-9_.+-]{1,32}){0,15}$',
        description:
          'types of what lies on the device and may be lost, separated by commas; exactly those that a refusal (device-not-empty) named',
      }),
    ),
    type: Type.Enum(['luks1', 'luks2'], { default: 'luks2' }),
    engine: Type.Optional(Type.Enum(['kernel', 'userspace'], { description: 'default: the best one that works here' })),
    open: Type.Boolean({ default: true, description: 'leave it open' }),
    ...createOptions,
    mode: Type.Optional(
      Type.String({ pattern: modePattern, description: 'of the mounted root directory, octal: 0770, 2770; no setuid' }),
    ),
    performance: Type.Optional(
      Type.String({
        pattern: `^(${performanceFlags.join('|')})(,(${performanceFlags.join('|')})){0,4}$`,
        description: 'switches of dm-crypt, kernel engine only, separated by commas',
      }),
    ),
  },
  { additionalProperties: false },
);

const openQuery = Type.Object(
  {
    readOnly: Type.Boolean({
      default: false,
      description: 'write nothing at all; streams can be played from it and not recorded into it',
    }),
  },
  { additionalProperties: false },
);

const flagsOf = (text: string): PerformanceFlag[] => performanceFlags.filter((flag) => text.split(',').includes(flag));

const secretNote =
  'The body (application/octet-stream) is the passphrase, byte for byte. Without a body the key file of the volume is used.';
const tags = ['volumes'];
const consumes = ['application/octet-stream'];

export const volumeRoutes: FastifyPluginAsyncTypebox<{ volumes: VolumesPart }> = async (app, { volumes }) => {
  acceptSecrets(app);
  const answer = { 200: Type.Unsafe<VolumeView>(Type.Ref('Volume')), ...errorAnswers };

  app.get(
    '/volumes',
    {
      schema: {
        summary: 'All volumes',
        tags,
        response: {
          200: Type.Object({ volumes: Type.Array(Type.Unsafe<VolumeView>(Type.Ref('Volume'))) }),
          ...errorAnswers,
        },
      },
    },
    async () => ({ volumes: [...(await volumes.list())] }),
  );

  app.get(
    '/volumes/:name',
    { schema: { summary: 'One volume', tags, params: nameParams, response: answer } },
    (request) => volumes.get(request.params.name),
  );

  app.put(
    '/volumes/:name',
    {
      schema: {
        summary: 'Make a volume',
        description: `${secretNote} Where the volume exists the answer is 409 and nothing is touched.`,
        tags,
        consumes,
        params: nameParams,
        querystring: createQuery,
        response: { 201: answer[200], ...errorAnswers },
      },
    },
    async (request, reply) => {
      const { size, mode, performance, overwriteSignature, ...choices } = request.query;
      if ((size === undefined) === (choices.device === undefined)) {
        const got = size === undefined ? 'neither' : 'both';
        throw new ReelError('invalid-argument', { expected: 'either a size or a device', got });
      }
      const options = {
        ...choices,
        ...(size === undefined ? {} : { size: parseSize(size) }),
        ...(overwriteSignature === undefined
          ? {}
          : { overwriteSignatures: [...new Set(overwriteSignature.split(','))] }),
        ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }),
        ...(performance === undefined ? {} : { performance: flagsOf(performance) }),
      };
      return reply.status(201).send(await volumes.create(request.params.name, options, secretOf(request)));
    },
  );

  app.post(
    '/volumes/:name/open',
    {
      schema: {
        summary: 'Open a volume',
        description: secretNote,
        tags,
        consumes,
        params: nameParams,
        querystring: openQuery,
        response: answer,
      },
    },
    (request) => volumes.open(request.params.name, { readOnly: request.query.readOnly }, secretOf(request)),
  );
};
