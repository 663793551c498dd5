/** /api/v1/archive/evidence-keys: the public keys that signatures of reels are checked with. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { errorAnswers } from './error-handler.ts';

const key = Type.Object({
  id: Type.String({ description: 'SHA-256 of the public key (SPKI, DER), hexadecimal' }),
  publicKey: Type.String({ description: 'Ed25519, PEM' }),
  madeAt: Type.String({ format: 'date-time' }),
  retiredAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], { description: 'null: it signs now' }),
});
export type EvidenceKeyView = Static<typeof key>;

export interface EvidenceKeysPart {
  /** The oldest first. */
  list(): Promise<readonly EvidenceKeyView[]>;
  rotate(): Promise<EvidenceKeyView>;
}

const tags = ['archive'];

export const evidenceKeyRoutes: FastifyPluginAsyncTypebox<{ keys: EvidenceKeysPart }> = async (app, { keys }) => {
  app.get(
    '/archive/evidence-keys',
    {
      schema: {
        summary: 'The public keys for evidence, the oldest first',
        tags,
        response: { 200: Type.Object({ keys: Type.Array(key) }), ...errorAnswers },
      },
    },
    async () => ({ keys: [...(await keys.list())] }),
  );
  app.post(
    '/archive/evidence-keys/rotate',
    {
      schema: {
        summary: 'Sign with a new key from now on',
        description: 'The old public key stays listed; its private key is gone.',
        tags,
        response: { 200: key, ...errorAnswers },
      },
    },
    () => keys.rotate(),
  );
};
