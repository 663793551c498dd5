/** /api/v1/volumes/:name/lock and /holders: closing a volume, politely or by force, and who is in the way. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { volumeNamePattern } from '../config/settings.ts';
import { ReelError } from '../errors.ts';
import { errorAnswers } from './error-handler.ts';
import { type VolumeView, volumeSchema } from './volumes.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const holder = Type.Object({
  pid: nullable(Type.Integer({ description: 'null: the kernel holds it, on behalf of no process' })),
  command: Type.String(),
  unit: nullable(Type.String({ description: 'systemd unit or container' })),
  user: nullable(Type.String()),
  how: Type.Enum(['file', 'directory', 'root', 'program', 'mapping', 'namespace', 'mount', 'loop', 'swap']),
  path: Type.String(),
  service: Type.Boolean({ description: 'the service itself, which lets go when the volume is locked' }),
});
export type HolderView = Static<typeof holder>;

const act = Type.Object({
  act: Type.Enum(['term', 'kill', 'spared', 'abort', 'unmount', 'unmount-lazily']),
  target: Type.String({ description: 'what the process used, the mount point, or the FUSE connection' }),
  pid: nullable(Type.Integer()),
  command: nullable(Type.String()),
  unit: nullable(Type.String()),
});

/** The volume, and what a slam took. */
const lockedSchema = Type.Object(
  {
    ...volumeSchema.properties,
    recordings: Type.Array(Type.String(), { description: 'streams whose recordings were ended: by a drain or a slam' }),
    acts: Type.Optional(Type.Array(act, { description: 'of a slam' })),
  },
  { $id: 'LockedVolume' },
);
export type LockedView = VolumeView & {
  readonly recordings: readonly string[];
  readonly acts?: readonly Static<typeof act>[];
};

export interface VolumeLockPart {
  /** `deadlineMs`: how long consumers of leases get. */
  lock(name: string, options: { readonly drain: boolean; readonly deadlineMs?: number }): Promise<LockedView>;
  /** `deadlineMs`: how long a process gets between SIGTERM and SIGKILL. */
  slam(name: string, options: { readonly deadlineMs: number }): Promise<LockedView>;
  holders(name: string): Promise<readonly HolderView[]>;
}

const nameParams = Type.Object({ name: Type.String({ pattern: volumeNamePattern }) });
const tags = ['volumes'];
const defaultSlamSeconds = 10;

const lockQuery = Type.Object(
  {
    level: Type.Optional(
      Type.Enum(['lock', 'drain', 'slam'], {
        description:
          'lock (default): refused while anything uses the volume; drain: ends recordings and takes leases away first; slam: by force',
      }),
    ),
    drain: Type.Boolean({ default: false, description: 'the same as level=drain' }),
    deadline: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 600,
        description: 'seconds that consumers of leases (drain) or all processes (slam) get; 10 if it is left out',
      }),
    ),
  },
  { additionalProperties: false },
);

const levelOf = ({ level, drain }: Static<typeof lockQuery>): 'lock' | 'drain' | 'slam' => {
  if (!drain || level === undefined || level === 'drain') return drain ? 'drain' : (level ?? 'lock');
  throw new ReelError('invalid-argument', { expected: 'one level', got: `drain=true and level=${level}` });
};

export const volumeLockRoutes: FastifyPluginAsyncTypebox<{ closing: VolumeLockPart }> = async (app, { closing }) => {
  app.addSchema(lockedSchema);

  app.post(
    '/volumes/:name/lock',
    {
      config: { unaudited: 'allowed' },
      schema: {
        summary: 'Lock a volume',
        description:
          'Refused while the volume is in use: `details` has the streams, the leases or the holders. `drain` ends recordings and leases ' +
          'first; `slam` ends every process that uses the volume, cuts off a block plane that hangs, and says what it did.',
        tags,
        params: nameParams,
        querystring: lockQuery,
        response: { 200: Type.Unsafe<LockedView>(Type.Ref('LockedVolume')), ...errorAnswers },
      },
    },
    (request): Promise<LockedView> => {
      const { name } = request.params;
      const level = levelOf(request.query);
      const { deadline } = request.query;
      if (level === 'slam') return closing.slam(name, { deadlineMs: (deadline ?? defaultSlamSeconds) * 1000 });
      const patience = deadline === undefined ? {} : { deadlineMs: deadline * 1000 };
      return closing.lock(name, { drain: level === 'drain', ...patience });
    },
  );

  app.get(
    '/volumes/:name/holders',
    {
      schema: {
        summary: 'Who uses a volume',
        description:
          'Processes in every mount namespace, the service itself among them; loop devices, swap files, other mounts.',
        tags,
        params: nameParams,
        response: { 200: Type.Object({ holders: Type.Array(holder) }), ...errorAnswers },
      },
    },
    async (request) => ({ holders: [...(await closing.holders(request.params.name))] }),
  );
};
