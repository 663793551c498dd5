import { Type } from 'typebox';
import type { VolumeFacts } from '../../volume/watch/facts.ts';
import { container, minute, name, none, strict } from './parts.ts';

const uuid = Type.Optional(Type.String({ pattern: '^[0-9a-fA-F-]{36}$' }));

export const watchVerbs = {
  /** Facts about several volumes. Waits for no other verb, so that it answers also while one of them hangs. */
  watch: {
    schema: Type.Object(
      {
        verb: Type.Literal('watch'),
        /** From now on, until the helper ends: how long a block plane may let requests wait. */
        hangMs: Type.Optional(Type.Integer({ minimum: 1000, maximum: 600_000 })),
        volumes: Type.Array(Type.Object({ name, container, uuid }, strict), { maxItems: 1000 }),
      },
      strict,
    ),
    secrets: none,
    timeoutMs: minute,
  },
} as const;

export interface WatchResults {
  readonly watch: { readonly volumes: readonly VolumeFacts[] };
}
