import { Type } from 'typebox';
import type { Keyslot, LuksType } from '../../luks/types.ts';
import type { KeyKind } from '../../volume/keys/kinds.ts';
import { container, key, minute, name, none, strict } from './parts.ts';

const uuid = Type.Optional(Type.String({ maxLength: 40 }));
/** LUKS2 has 32, LUKS1 8. */
const slot = Type.Integer({ minimum: 0, maximum: 31 });
/** A derivation takes seconds, a wrong passphrase one for each slot. */
const timeoutMs = 30 * minute;

interface Current {
  readonly current: 'passphrase' | 'keyFile';
}
const current = (request: Current): string[] => (request.current === 'passphrase' ? ['the key that opens now'] : []);

/** Keyslots. `current` says what opens now: a secret, or the volume's key file. All but the list change the header and its backups. */
export const keysVerbs = {
  'keys-list': {
    schema: Type.Object({ verb: Type.Literal('keys-list'), name, container, uuid }, strict),
    secrets: none,
    timeoutMs: 2 * minute,
  },
  /** Secrets: the current key, then the new one, unless that is the key file. `replaces`: slots that go once the new one is proven. */
  'keys-add': {
    schema: Type.Object(
      {
        verb: Type.Literal('keys-add'),
        name,
        container,
        uuid,
        current: key,
        kind: Type.Union([Type.Literal('passphrase'), Type.Literal('keyFile'), Type.Literal('recovery')]),
        replaces: Type.Optional(Type.Array(slot, { maxItems: 32 })),
      },
      strict,
    ),
    secrets: (request: Current & { readonly kind: KeyKind }): readonly string[] => [
      ...current(request),
      ...(request.kind === 'keyFile' ? [] : ['a new key']),
    ],
    timeoutMs,
  },
  /** A new passphrase in the place of the one that is given first. */
  'keys-change': {
    schema: Type.Object({ verb: Type.Literal('keys-change'), name, container, uuid }, strict),
    secrets: (): readonly string[] => ['the passphrase', 'a new passphrase'],
    timeoutMs,
  },
  /** By number, or by the key itself as the last secret. `current` is the proof that another key is known. */
  'keys-remove': {
    schema: Type.Object(
      { verb: Type.Literal('keys-remove'), name, container, uuid, current: key, slot: Type.Optional(slot) },
      strict,
    ),
    secrets: (request: Current & { readonly slot?: number }): readonly string[] => [
      ...current(request),
      ...(request.slot === undefined ? ['the key to be removed'] : []),
    ],
    timeoutMs,
  },
  /** A new random key file in the place of the volume's. */
  'keys-rotate': {
    schema: Type.Object({ verb: Type.Literal('keys-rotate'), name, container, uuid }, strict),
    secrets: none,
    timeoutMs,
  },
} as const;

export interface KeyReport extends Keyslot {
  readonly kind: KeyKind | null;
  /** What opens it without an admin, in words: `tang http://host`, `tpm2 sha256:7`. Its slot has no kind. */
  readonly binding: string | null;
}

export interface KeyList {
  readonly type: LuksType;
  /** The container is between two volume keys: none of its keys can be changed. */
  readonly reencrypting: boolean;
  readonly keys: readonly KeyReport[];
}

export interface KeyAdded {
  readonly slot: number;
  /** False when the key had a slot already. */
  readonly added: boolean;
  /** Slots that it replaced. */
  readonly removed: readonly number[];
}

export interface KeyChanged extends KeyAdded {
  /** All slots of the container now: with an empty `removed`, each of them still opens with the key that it had. */
  readonly left: readonly number[];
}

export interface KeyRemoved {
  /** Null when there was none of this number. */
  readonly slot: number | null;
  /** The volume's key file opened nothing any more and was destroyed. */
  readonly keyFileRemoved: boolean;
}

export interface KeysResults {
  readonly 'keys-list': KeyList;
  readonly 'keys-add': KeyAdded;
  readonly 'keys-change': KeyChanged;
  readonly 'keys-remove': KeyRemoved;
  readonly 'keys-rotate': KeyAdded;
}
