import { ReelError } from '../errors.ts';
import type { Keyslot, LuksDump } from './types.ts';

const sector = 512;

const field = (text: string, name: string): string => {
  const value = new RegExp(`^${name}:[ \\t]+(.*?)[ \\t]*$`, 'm').exec(text)?.[1];
  if (value === undefined) {
    throw new ReelError('luks-damaged', { expected: `"${name}" in the LUKS1 header`, got: 'none' });
  }
  return value;
};

const keyslotsOf = (text: string): Keyslot[] =>
  [...text.matchAll(/^Key Slot (\d+): ENABLED\n\tIterations:\s+(\d+)$/gm)].map(([, slot, iterations]) => ({
    slot: Number(slot),
    usable: true,
    kdf: 'pbkdf2',
    iterations: Number(iterations),
    memoryKiB: null,
    parallel: null,
    priority: 'normal',
  }));

/** Reads the answer of `luksDump` for LUKS1, which has no JSON form. */
export const parseLuks1 = (text: string): LuksDump => ({
  type: 'luks1',
  uuid: field(text, 'UUID'),
  label: null,
  cipher: `${field(text, 'Cipher name')}-${field(text, 'Cipher mode')}`,
  keyBits: Number(field(text, 'MK bits')),
  sectorSize: sector,
  dataOffset: Number(field(text, 'Payload offset')) * sector,
  dataSize: 'dynamic',
  keyslots: keyslotsOf(text),
  tokens: [],
  requirements: [],
  integrity: null,
});
