import { Value } from 'typebox/value';
import { ReelError } from '../../errors.ts';
import type { LuksDump, Token } from '../../luks/types.ts';
import { type BindingFacts, factsOf, type Jwe, jweSchema } from './jwe.ts';

/** The type of Clevis’ own tokens, which its programs understand. */
export const clevisToken = 'clevis';
/** One of ours whose keyslot is not made yet. Of another type, so that no program takes it for a whole one. */
export const pendingToken = 'reelvault-binding';

export interface Binding {
  readonly token: number;
  /** Null while it is pending. */
  readonly slot: number | null;
  readonly jwe: Jwe;
  readonly facts: BindingFacts;
}

/** Throws `luks-damaged` for a token that must not be used. */
export const bindingOf = ({ id, body }: Token): Binding => {
  const { jwe, keyslots } = body;
  if (!Value.Check(jweSchema, jwe)) {
    throw new ReelError('luks-damaged', { expected: `a JWE in token ${id}`, got: 'another form' });
  }
  const slot = Array.isArray(keyslots) && keyslots.length === 1 ? Number(keyslots[0]) : null;
  return { token: id, slot, jwe, facts: factsOf(jwe.protected) };
};

export const tokensOf = ({ tokens }: LuksDump, type: string): Token[] => tokens.filter((token) => token.type === type);

/** What a slot is bound to, in words; null for a slot without a binding. */
export const boundTo = (header: LuksDump, slot: number): string | null => {
  const token = tokensOf(header, clevisToken).find(
    ({ body }) => Array.isArray(body.keyslots) && body.keyslots.map(Number).includes(slot),
  );
  if (token === undefined) return null;
  try {
    return bindingOf(token).facts.text;
  } catch {
    return 'something that cannot be read';
  }
};
