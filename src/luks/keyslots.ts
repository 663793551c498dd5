import { ReelError } from '../errors.ts';
import type { Cryptsetup } from './calls.ts';
import { dump } from './dump.ts';
import { checkKey, withBothKeys } from './key-bytes.ts';
import { pbkdfArgs } from './pbkdf.ts';
import type { LuksDump, Pbkdf } from './types.ts';

/** Options of every call that opens with a key: token plugins named by a header that may be hostile are not loaded. */
export const unlockOptions = ['--key-file', '-', '--disable-external-tokens', '--serialize-memory-hard-pbkdf'];

const slotOf = (stdout: Buffer, verb: 'unlocked' | 'created'): number => {
  const slot = new RegExp(`^Key slot (\\d+) ${verb}\\.$`, 'm').exec(stdout.toString('utf8'))?.[1];
  if (slot === undefined) {
    throw new ReelError('internal', {
      expected: `cryptsetup to name the keyslot that was ${verb}`,
      got: 'no such line',
    });
  }
  return Number(slot);
};

const usableSlots = (header: LuksDump): number[] =>
  header.keyslots.filter((keyslot) => keyslot.usable).map((keyslot) => keyslot.slot);

const slotArgs = (slot: number | undefined): string[] => (slot === undefined ? [] : ['--key-slot', String(slot)]);

/**
 * The keyslot that `key` opens. With `slot`, only that one is tried, which saves derivations.
 * Throws `wrong-key`, `no-keyslot`, `not-luks`, `luks-damaged`, `luks-unsupported`, `out-of-memory`.
 */
export const testKey = async (cryptsetup: Cryptsetup, file: string, key: Buffer, slot?: number): Promise<number> => {
  const args = ['open', '--test-passphrase', '--type', 'luks', ...unlockOptions, ...slotArgs(slot), file];
  const { stdout } = await cryptsetup.withKey(args, checkKey(key), { file, slot });
  return slotOf(stdout, 'unlocked');
};

/** Adds `newKey` in a free slot and returns that slot; `key` opens any slot. */
export const addKey = async (
  cryptsetup: Cryptsetup,
  file: string,
  key: Buffer,
  newKey: Buffer,
  pbkdf: Pbkdf,
): Promise<number> => {
  const { type } = await dump(cryptsetup, file);
  return withBothKeys(key, newKey, async (keys, joined) => {
    const args = ['luksAddKey', ...pbkdfArgs(type, pbkdf), ...keys, file, '-'];
    return slotOf((await cryptsetup.withKey(args, joined, { file })).stdout, 'created');
  });
};

/** Replaces the key of the slot that `key` opens. LUKS2 writes the new slot before it drops the old one. */
export const changeKey = async (
  cryptsetup: Cryptsetup,
  file: string,
  key: Buffer,
  newKey: Buffer,
  pbkdf: Pbkdf,
): Promise<number> => {
  const { type } = await dump(cryptsetup, file);
  await withBothKeys(key, newKey, (keys, joined) =>
    cryptsetup.withKey(['luksChangeKey', ...pbkdfArgs(type, pbkdf), ...keys, file, '-'], joined, { file }),
  );
  return testKey(cryptsetup, file, newKey);
};

const killSlot = async (cryptsetup: Cryptsetup, file: string, header: LuksDump, slot: number): Promise<void> => {
  const usable = usableSlots(header);
  if (!header.keyslots.some((keyslot) => keyslot.slot === slot)) {
    throw new ReelError('no-keyslot', { expected: `keyslot ${slot} in ${file}`, got: `keyslots ${usable.join(', ')}` });
  }
  if (usable.length === 1 && usable[0] === slot) {
    throw new ReelError('last-keyslot', {
      expected: `another keyslot beside ${slot} in ${file}`,
      got: 'none',
      hint: 'add a key first, or erase the container',
    });
  }
  // The slot is there: where it is gone after a failure, that is what was asked for, and no reason.
  await cryptsetup.call(['luksKillSlot', file, String(slot)], { file });
};

/** Removes the slot that `key` opens and returns it. Throws `wrong-key`, `last-keyslot`. */
export const removeKey = async (cryptsetup: Cryptsetup, file: string, key: Buffer): Promise<number> => {
  const slot = await testKey(cryptsetup, file, key);
  await killSlot(cryptsetup, file, await dump(cryptsetup, file), slot);
  return slot;
};

/** Removes a slot without knowing its key. Throws `no-keyslot`, `last-keyslot`. */
export const removeSlot = async (cryptsetup: Cryptsetup, file: string, slot: number): Promise<void> =>
  killSlot(cryptsetup, file, await dump(cryptsetup, file), slot);
