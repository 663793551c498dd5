/** What kind of key a keyslot is for. A LUKS2 header remembers it in a token bound to the slot; for LUKS1 the daemon's record does. */
import type { Luks } from '../../luks/luks.ts';
import type { LuksDump, Token } from '../../luks/types.ts';
import { clevisToken, tokensOf } from '../unlock/bindings.ts';

/** `keyFile` is the volume's own random one; what a person or another program keeps is a `passphrase`, whatever its bytes. */
export type KeyKind = 'passphrase' | 'keyFile' | 'recovery';

const tokenType = 'reelvault-key';
const kinds: readonly unknown[] = ['passphrase', 'keyFile', 'recovery'] satisfies KeyKind[];
const isKind = (value: unknown): value is KeyKind => kinds.includes(value);

const slotsOf = (token: Token): number[] => {
  const { keyslots } = token.body;
  return Array.isArray(keyslots) ? keyslots.map(Number) : [];
};

const ours = (header: LuksDump): Token[] => header.tokens.filter(({ type }) => type === tokenType);

/** Null where the header does not say it: LUKS1, and slots that another program made. */
export const kindOf = (header: LuksDump, slot: number): KeyKind | null => {
  const kind = ours(header).find((token) => slotsOf(token).includes(slot))?.body.kind;
  return isKind(kind) ? kind : null;
};

/** Writes the kind of `slot` into the header, unless it says so already or is LUKS1, which has no room for it. Idempotent. */
export const rememberKind = async (luks: Luks, file: string, slot: number, kind: KeyKind): Promise<void> => {
  const header = await luks.dump(file);
  if (header.type === 'luks1' || kindOf(header, slot) === kind) return;
  for (const token of ours(header)) {
    if (slotsOf(token).includes(slot)) await luks.removeToken(file, token.id);
  }
  await luks.importToken(file, { type: tokenType, keyslots: [String(slot)], kind });
};

/** Takes away the tokens, also of bindings, whose slot is gone: to remove a slot leaves its token behind, bound to nothing. */
export const forgetRemoved = async (luks: Luks, file: string): Promise<void> => {
  const header = await luks.dump(file);
  for (const token of [...ours(header), ...tokensOf(header, clevisToken)]) {
    if (slotsOf(token).length === 0) await luks.removeToken(file, token.id);
  }
};
