/** Volumes that open without an admin: whether they do, and what their keys are bound to. Secrets are the bytes of the body. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { pcrsPattern, thumbprintPattern } from '../config/schema-words.ts';
import { volumeNamePattern } from '../config/settings.ts';
import { errorAnswers } from './error-handler.ts';
import { acceptSecrets, secretOf } from './secret-body.ts';
import { currentQuery, refuseRest, splitSecrets } from './two-secrets.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const slot = Type.Integer({ minimum: 0, maximum: 31 });
const way = Type.Enum(['keyFile', 'credential', 'tang', 'tpm2', 'sss', 'clevis']);
const autoOpen = Type.Object({
  autoOpen: Type.Boolean(),
  held: Type.Boolean({
    description: 'locked by an admin: left alone until the next start of the service, or until it is opened',
  }),
  last: nullable(
    Type.Object({
      at: Type.String(),
      openedBy: nullable(Type.Object({ way, slot: nullable(Type.Integer()) })),
      attempts: Type.Array(
        Type.Object({ way, slot: nullable(Type.Integer()), code: Type.String(), reason: Type.String() }),
        { description: 'the ways that did not open it, in the order they were tried' },
      ),
      error: nullable(Type.Any()),
    }),
  ),
  retryAt: nullable(Type.String()),
});
const bound = Type.Object({
  slot: Type.Integer(),
  added: Type.Boolean({ description: 'false: it was bound to this already' }),
  binding: Type.String(),
});
const unbound = Type.Object({
  slot: nullable(Type.Integer({ description: 'null: there was none of this number' })),
  keyFileRemoved: Type.Boolean({ description: 'the key file opened nothing any more and was destroyed' }),
});
const tangKeys = Type.Object({
  url: Type.String(),
  thumbprints: Type.Array(Type.String(), { description: 'SHA-256 of the keys that sign; compare before trusting' }),
});
export type AutoOpenView = Static<typeof autoOpen>;
export type BoundView = Static<typeof bound>;
export type UnboundView = Static<typeof unbound>;
export type TangKeysView = Static<typeof tangKeys>;

type Frozen<T> = T extends (infer E)[]
  ? readonly Frozen<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

const url = Type.String({ minLength: 1, maxLength: 2048 });
const bindQuery = Type.Object(
  {
    current: currentQuery,
    pin: Type.Enum(['tang', 'tpm2']),
    url: Type.Optional(url),
    thumbprint: Type.Optional(
      Type.String({ pattern: thumbprintPattern, description: 'of a signing key of the Tang server' }),
    ),
    pcrs: Type.Optional(Type.String({ pattern: pcrsPattern, maxLength: 80, description: 'of the bank sha256' })),
  },
  { additionalProperties: false },
);

/** What the routes need. Secrets stay the caller's: they are zeroed after the call. Without `current` the key file unlocks. */
export interface VolumeUnlockPart {
  status(name: string): Promise<Frozen<AutoOpenView>>;
  set(name: string, autoOpen: boolean): Promise<Frozen<AutoOpenView>>;
  tangKeys(url: string): Promise<Frozen<TangKeysView>>;
  bind(name: string, to: Omit<Static<typeof bindQuery>, 'current'>, current?: Buffer): Promise<BoundView>;
  unbind(name: string, slot: number, current?: Buffer): Promise<UnboundView>;
}

const params = Type.Object({ name: Type.String({ pattern: volumeNamePattern }) });
const strict = { additionalProperties: false };
const tags = ['unlocking'];
const consumes = ['application/octet-stream'];

export const volumeUnlockRoutes: FastifyPluginAsyncTypebox<{ unlock: VolumeUnlockPart }> = async (app, { unlock }) => {
  acceptSecrets(app);

  app.get(
    '/volumes/:name/auto-open',
    {
      schema: {
        summary: 'Whether a volume opens without an admin, and what came of it',
        tags,
        params,
        response: { 200: autoOpen, ...errorAnswers },
      },
    },
    async (request) => (await unlock.status(request.params.name)) as AutoOpenView,
  );

  app.put(
    '/volumes/:name/auto-open',
    {
      schema: {
        summary: 'Open a volume without an admin, or do not',
        description:
          'A locked volume is opened at once, unless an admin locked it since the service started: then at the next start.',
        tags,
        params,
        querystring: Type.Object({ enabled: Type.Boolean() }, strict),
        response: { 200: autoOpen, ...errorAnswers },
      },
    },
    async (request) => (await unlock.set(request.params.name, request.query.enabled)) as AutoOpenView,
  );

  app.get(
    '/tang-keys',
    {
      schema: {
        summary: 'The signing keys of a Tang server',
        tags,
        querystring: Type.Object({ url }, strict),
        response: { 200: tangKeys, ...errorAnswers },
      },
    },
    async (request) => (await unlock.tangKeys(request.query.url)) as TangKeysView,
  );

  app.post(
    '/volumes/:name/bindings',
    {
      schema: {
        summary: 'Bind a new key to a Tang server or to the TPM of this machine',
        description:
          'The body is the key that opens now (see `current`). A Tang server needs `url` and the `thumbprint` of a key of it that you trust.',
        tags,
        consumes,
        params,
        querystring: bindQuery,
        response: { 200: bound, ...errorAnswers },
      },
    },
    (request) => {
      const { current: length, ...to } = request.query;
      return unlock.bind(request.params.name, to, refuseRest(splitSecrets(secretOf(request), length)));
    },
  );

  app.post(
    '/volumes/:name/bindings/:slot/remove',
    {
      schema: {
        summary: 'Remove a binding and its key',
        description: 'The body is a key of another slot, as proof that one stays known (see `current`).',
        tags,
        consumes,
        params: Type.Object({ ...params.properties, slot }),
        querystring: Type.Object({ current: currentQuery }, strict),
        response: { 200: unbound, ...errorAnswers },
      },
    },
    (request) => {
      const current = refuseRest(splitSecrets(secretOf(request), request.query.current));
      return unlock.unbind(request.params.name, request.params.slot, current);
    },
  );
};
