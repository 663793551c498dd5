import { createHash } from 'node:crypto';
import type { Header } from '../../luks/header/read-header.ts';

/** A key that a header can be opened with. Another key in the same place has another print. */
export interface SlotPrint {
  readonly slot: number;
  /** Of what is random in a keyslot, and of the volume key it holds. */
  readonly print: string;
}

type Readable = Extract<Header, { type: 'luks1' | 'luks2' }>;

const printOf = (...parts: readonly string[]): string =>
  createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16);

/** The keyslots in use. */
export const slotsOf = (header: Readable): SlotPrint[] => {
  if (header.type === 'luks1') {
    const { digest, slots } = header.luks1;
    return slots.filter((slot) => slot.active).map(({ slot, salt }) => ({ slot, print: printOf(salt, digest) }));
  }
  const { keyslots, digests } = header.current.metadata;
  return Object.entries(keyslots)
    .filter(([, { kdf }]) => kdf !== undefined)
    .map(([slot, { kdf }]) => {
      const bound = Object.values(digests).filter((digest) => digest.keyslots.includes(slot));
      return { slot: Number(slot), print: printOf(kdf?.salt ?? '', ...bound.map((digest) => digest.digest).sort()) };
    });
};

/** Those of `slots` whose key does not open `others`. */
export const slotsBeside = (slots: readonly SlotPrint[], others: readonly SlotPrint[]): number[] =>
  slots.filter(({ print }) => others.every((other) => other.print !== print)).map(({ slot }) => slot);

export const sameSlots = (slots: readonly SlotPrint[], others: readonly SlotPrint[]): boolean =>
  slotsBeside(slots, others).length === 0 && slotsBeside(others, slots).length === 0;
