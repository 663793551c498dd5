/** The two changes that everything else is made of: a slot more, proven; a slot less. */
import { ReelError } from '../../errors.ts';
import { pbkdfForPhrase, pbkdfForRandomKey } from '../../luks/luks.ts';
import type { LuksType, Pbkdf } from '../../luks/types.ts';
import { reached, type VolumeContext } from '../context.ts';
import type { Begun } from './begin.ts';
import { forgetRemoved, type KeyKind, rememberKind } from './kinds.ts';

/** How many keyslots a header has. */
export const mostSlots: Readonly<Record<LuksType, number>> = { luks1: 8, luks2: 32 };

/** The cost that fits the kind: nobody guesses random keys, so a slow derivation would only delay every open. */
export const pbkdfFor = async (context: VolumeContext, type: LuksType, kind: KeyKind): Promise<Pbkdf> =>
  context.pbkdf ?? (kind === 'passphrase' ? await pbkdfForPhrase(type) : pbkdfForRandomKey);

/** Adds `fresh` in a slot of its own and proves that it opens. Throws `keyslots-full`. */
export const addSlot = async (
  context: VolumeContext,
  { container: { path: file }, header }: Begun,
  keys: { readonly current: Buffer; readonly fresh: Buffer; readonly kind: KeyKind },
): Promise<number> => {
  const most = mostSlots[header.type];
  if (header.keyslots.length >= most) {
    const parts = { expected: `fewer than ${most} keyslots`, got: `${most}`, hint: 'remove a key first' };
    throw new ReelError('keyslots-full', parts);
  }
  const pbkdf = await pbkdfFor(context, header.type, keys.kind);
  const slot = await context.luks.addKey(file, keys.current, keys.fresh, pbkdf);
  reached(context, 'key-added');
  await context.luks.testKey(file, keys.fresh, slot);
  reached(context, 'key-verified');
  await rememberKind(context.luks, file, slot, keys.kind);
  reached(context, 'key-remembered');
  return slot;
};

/** Removes a slot; false where there is none of this number. Throws `last-keyslot`. */
export const dropSlot = async (context: VolumeContext, { container }: Begun, slot: number): Promise<boolean> => {
  const { keyslots } = await context.luks.dump(container.path);
  const there = keyslots.some((keyslot) => keyslot.slot === slot);
  if (there) await context.luks.removeSlot(container.path, slot);
  reached(context, 'key-removed');
  await forgetRemoved(context.luks, container.path);
  return there;
};
