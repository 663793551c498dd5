/** /api/v1/volumes/:name/keys: the keyslots of a volume. Secrets are the bytes of the body, everything else stands in the query. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { volumeNamePattern } from '../config/settings.ts';
import { errorAnswers } from './error-handler.ts';
import { acceptSecrets, secretOf } from './secret-body.ts';
import { currentQuery, needed, refuseRest, splitSecrets } from './two-secrets.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const keyList = Type.Object({
  type: Type.Enum(['luks1', 'luks2']),
  reencrypting: Type.Boolean({ description: 'between two volume keys: no key can be changed' }),
  keys: Type.Array(
    Type.Object({
      slot: Type.Integer(),
      kind: nullable(
        Type.Enum(['passphrase', 'keyFile', 'recovery'], { description: 'null: another program made it' }),
      ),
      binding: nullable(
        Type.String({ description: 'what opens it without an admin: a Tang server or a TPM, through Clevis' }),
      ),
      usable: Type.Boolean({ description: 'opens the data' }),
      priority: Type.Enum(['ignore', 'normal', 'prefer']),
      kdf: Type.String(),
      iterations: nullable(Type.Integer()),
      memoryKiB: nullable(Type.Integer()),
      parallel: nullable(Type.Integer()),
    }),
  ),
});
const keyAdded = Type.Object({
  slot: Type.Integer(),
  added: Type.Boolean({ description: 'false: the key had this slot already' }),
  removed: Type.Array(Type.Integer(), { description: 'slots that it replaced' }),
});
const keyChanged = Type.Object({
  ...keyAdded.properties,
  removed: Type.Array(Type.Integer(), {
    description: 'the slot of the old passphrase; empty: it opened nothing, and no slot was removed',
  }),
  left: Type.Array(Type.Integer(), { description: 'all slots of the container now' }),
});
const keyRemoved = Type.Object({
  slot: nullable(Type.Integer({ description: 'null: there was none of this number' })),
  keyFileRemoved: Type.Boolean({ description: 'the key file opened nothing any more and was destroyed' }),
});
export type KeyListView = Static<typeof keyList>;
export type KeyAddedView = Static<typeof keyAdded>;
export type KeyChangedView = Static<typeof keyChanged>;
export type KeyRemovedView = Static<typeof keyRemoved>;

/** What the routes need of the keys. Secrets stay the caller's: they are zeroed after the call. Without `current` the key file unlocks. */
export interface VolumeKeysPart {
  list(name: string): Promise<{ readonly keys: readonly KeyListView['keys'][number][] } & Omit<KeyListView, 'keys'>>;
  add(name: string, key: Buffer | 'keyFile', current?: Buffer): Promise<Frozen<KeyAddedView>>;
  change(name: string, old: Buffer, fresh: Buffer): Promise<Frozen<KeyChangedView>>;
  remove(name: string, target: number | Buffer, current?: Buffer): Promise<KeyRemovedView>;
  rotate(name: string): Promise<Frozen<KeyAddedView>>;
  /** The answer is the route's, which zeroes it. */
  recovery(name: string, current?: Buffer): Promise<Buffer>;
}
type Frozen<T> = { readonly [K in keyof T]: T[K] extends (infer E)[] ? readonly E[] : T[K] };

const params = Type.Object({ name: Type.String({ pattern: volumeNamePattern }) });
const strict = { additionalProperties: false };
const tags = ['keys'];
const consumes = ['application/octet-stream'];

export const volumeKeyRoutes: FastifyPluginAsyncTypebox<{ keys: VolumeKeysPart }> = async (app, { keys }) => {
  acceptSecrets(app);

  app.get(
    '/volumes/:name/keys',
    { schema: { summary: 'The keyslots of a volume', tags, params, response: { 200: keyList, ...errorAnswers } } },
    async (request) => {
      const list = await keys.list(request.params.name);
      return { ...list, keys: [...list.keys] };
    },
  );

  app.post(
    '/volumes/:name/keys',
    {
      schema: {
        summary: 'Add a passphrase or a key file',
        description:
          'The body is the key that opens now (see `current`) and behind it the new passphrase, byte for byte.',
        tags,
        consumes,
        params,
        querystring: Type.Object(
          {
            current: currentQuery,
            kind: Type.Enum(['passphrase', 'keyFile'], {
              default: 'passphrase',
              description:
                'keyFile: a random one is made beside the containers, and the body ends after the current key',
            }),
          },
          strict,
        ),
        response: { 200: keyAdded, ...errorAnswers },
      },
    },
    async (request) => {
      const secrets = splitSecrets(secretOf(request), request.query.current);
      const { name } = request.params;
      if (request.query.kind === 'keyFile') return thawed(await keys.add(name, 'keyFile', refuseRest(secrets)));
      return thawed(await keys.add(name, needed(secrets.rest, 'a new passphrase'), secrets.current));
    },
  );

  app.post(
    '/volumes/:name/keys/change',
    {
      schema: {
        summary: 'A new passphrase in the place of another',
        description:
          'The body is the old passphrase (`current` bytes) and behind it the new one. Repeated after an answer that was lost it succeeds, with `removed` empty; so does a mistyped old passphrase where the new one is a key already: look at `removed` before you call it revoked.',
        tags,
        consumes,
        params,
        querystring: Type.Object({ current: Type.Integer({ minimum: 1 }) }, strict),
        response: { 200: keyChanged, ...errorAnswers },
      },
    },
    async (request) => {
      const { current, rest } = splitSecrets(secretOf(request), request.query.current);
      const [old, fresh] = [needed(current, 'the old passphrase'), needed(rest, 'a new passphrase')];
      const changed = await keys.change(request.params.name, old, fresh);
      return { ...thawed(changed), left: [...changed.left] };
    },
  );

  app.post(
    '/volumes/:name/keys/remove',
    {
      schema: {
        summary: 'Remove a key, by its slot or by the key itself',
        description:
          'The body is a key of another slot, as proof that one stays known (see `current`), and without `slot` behind it the key to be removed.',
        tags,
        consumes,
        params,
        querystring: Type.Object(
          { current: currentQuery, slot: Type.Optional(Type.Integer({ minimum: 0, maximum: 31 })) },
          strict,
        ),
        response: { 200: keyRemoved, ...errorAnswers },
      },
    },
    (request) => {
      const secrets = splitSecrets(secretOf(request), request.query.current);
      const { name } = request.params;
      const { slot } = request.query;
      if (slot !== undefined) return keys.remove(name, slot, refuseRest(secrets));
      return keys.remove(name, needed(secrets.rest, 'a slot in the query, or the key to be removed'), secrets.current);
    },
  );

  app.post(
    '/volumes/:name/keys/rotate',
    {
      schema: {
        summary: 'A new key file in the place of the volume’s',
        description: 'While the volume is open and recorded into. Called again after a crash, it finishes.',
        tags,
        params,
        response: { 200: keyAdded, ...errorAnswers },
      },
    },
    async (request) => thawed(await keys.rotate(request.params.name)),
  );

  app.post(
    '/volumes/:name/keys/recovery',
    {
      schema: {
        summary: 'Make a recovery key, in the place of the former one',
        description:
          'The answer is its text, once: nobody keeps a copy. Lost before it was written down, another one is made by the same call.',
        tags,
        consumes,
        params,
        querystring: Type.Object({ current: currentQuery }, strict),
        response: {
          200: { description: 'the recovery key', content: { 'text/plain': { schema: Type.String() } } },
          ...errorAnswers,
        },
      },
    },
    async (request, reply) => {
      const current = refuseRest(splitSecrets(secretOf(request), request.query.current));
      const text = await keys.recovery(request.params.name, current);
      // Either event is the last, and a caller that is gone has no answer.
      reply.raw.once('finish', () => text.fill(0)).once('close', () => text.fill(0));
      return reply.type('text/plain').send(text as never);
    },
  );
};

const thawed = (added: Frozen<KeyAddedView>): KeyAddedView => ({ ...added, removed: [...added.removed] });
