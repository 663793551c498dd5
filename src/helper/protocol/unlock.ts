import { Type } from 'typebox';
import { pcrsPattern, thumbprintPattern } from '../../config/schema-words.ts';
import type { Attempt, Way } from '../../volume/unlock/way.ts';
import type { KeyRemoved } from './keys.ts';
import { byKey, container, engine, key, minute, name, none, strict } from './parts.ts';
import { attachOptions, type OpenedReport } from './volume.ts';

const uuid = Type.Optional(Type.String({ maxLength: 40 }));
const url = Type.String({ maxLength: 2048 });
const about = { name, container, uuid };
const timeoutMs = 30 * minute;
const withCurrent = ({ current }: { readonly current: 'passphrase' | 'keyFile' }): readonly string[] =>
  byKey({ key: current });

/** Opening without an admin, and the bindings that it uses. */
export const unlockVerbs = {
  /** Idempotent. Key file, systemd credential, bindings: the first that opens. The answer carries the descriptor of the mounted root. */
  unlock: {
    schema: Type.Object(
      {
        verb: Type.Literal('unlock'),
        ...about,
        engine,
        size: Type.Optional(Type.Integer({ minimum: 0 })),
        ...attachOptions,
      },
      strict,
    ),
    secrets: none,
    timeoutMs: 150 * minute,
  },
  /** Binds a new key to a Tang server (`url` and the thumbprint of a key of it that is trusted) or to this machine's TPM. */
  'unlock-bind': {
    schema: Type.Object(
      {
        ...{ verb: Type.Literal('unlock-bind'), ...about, current: key },
        pin: Type.Union([Type.Literal('tang'), Type.Literal('tpm2')]),
        url: Type.Optional(url),
        thumbprint: Type.Optional(Type.String({ pattern: thumbprintPattern })),
        /** Numbers of PCRs of the bank sha256. */
        pcrs: Type.Optional(Type.String({ pattern: pcrsPattern, maxLength: 80 })),
      },
      strict,
    ),
    secrets: withCurrent,
    timeoutMs,
  },
  'unlock-unbind': {
    schema: Type.Object(
      {
        ...{ verb: Type.Literal('unlock-unbind'), ...about, current: key },
        slot: Type.Integer({ minimum: 0, maximum: 31 }),
      },
      strict,
    ),
    secrets: withCurrent,
    timeoutMs,
  },
  /** The keys of a Tang server, to be compared before they are trusted. */
  'unlock-tang': {
    schema: Type.Object({ verb: Type.Literal('unlock-tang'), url }, strict),
    secrets: none,
    timeoutMs: minute,
  },
} as const;

export interface Unlocked extends OpenedReport {
  /** Null when it was open already. */
  readonly openedBy: { readonly way: Way; readonly slot: number | null } | null;
  /** The ways that were tried before. */
  readonly attempts: readonly Attempt[];
}

export interface KeyBound {
  readonly slot: number;
  /** False when it was bound to this already. */
  readonly added: boolean;
  /** In words: `tang http://host`. */
  readonly binding: string;
}

export interface UnlockResults {
  readonly unlock: Unlocked;
  readonly 'unlock-bind': KeyBound;
  readonly 'unlock-unbind': KeyRemoved;
  readonly 'unlock-tang': { readonly url: string; readonly thumbprints: readonly string[] };
}
