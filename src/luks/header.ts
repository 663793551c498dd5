import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import { ReelError } from '../errors.ts';
import type { Cryptsetup } from './calls.ts';
import { sizeAt } from './container-size.ts';
import { dump } from './dump.ts';
import { checkKey } from './key-bytes.ts';
import { hasLuksMagic } from './magic.ts';
import { pbkdfArgs } from './pbkdf.ts';
import type { FormatOptions, LuksDump } from './types.ts';

const invalid = (expected: string, got: string): ReelError => new ReelError('invalid-argument', { expected, got });
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const formatArgs = (options: FormatOptions): string[] => {
  const {
    type,
    pbkdf,
    cipher = 'aes-xts-plain64',
    keyBits = 512,
    sectorSize = type === 'luks1' ? 512 : 4096,
  } = options;
  const { label, uuid, dataOffset } = options;
  if (type === 'luks1' && (sectorSize !== 512 || label !== undefined)) {
    throw invalid(
      'sectors of 512 bytes and no label for LUKS1',
      `sectors of ${sectorSize} bytes, label ${label ?? 'none'}`,
    );
  }
  if (label !== undefined && !/^[\x21-\x7e]{1,47}$/.test(label))
    throw invalid('a label of 1 to 47 visible characters', label);
  if (uuid !== undefined && !uuidPattern.test(uuid)) throw invalid('a UUID in small letters', uuid);
  return [
    ...['luksFormat', '--type', type, '--cipher', cipher, '--key-size', String(keyBits), '--hash', 'sha256'],
    ...(type === 'luks1' ? [] : ['--sector-size', String(sectorSize)]),
    ...(label === undefined ? [] : ['--label', label]),
    ...(uuid === undefined ? [] : ['--uuid', uuid]),
    ...(dataOffset === undefined ? [] : ['--offset', String(dataOffset / 512)]),
    ...pbkdfArgs(type, pbkdf),
    ...['--use-urandom', '--key-file', '-'],
  ];
};

/**
 * Makes a container of an existing file or block device (its size is the container's) with `key` in slot 0. Refuses a file that bears a LUKS
 * header already (`already-exists`) or whose size is no multiple of the sector size: nobody could open that one.
 */
export const format = async (
  cryptsetup: Cryptsetup,
  file: string,
  key: Buffer,
  options: FormatOptions,
): Promise<LuksDump> => {
  checkKey(key);
  const args = formatArgs(options);
  if (await hasLuksMagic(file)) {
    throw new ReelError('already-exists', {
      expected: `no LUKS header in ${file} yet`,
      got: 'one',
      hint: 'destroy it first',
    });
  }
  const size = await sizeAt(file);
  const sectorSize = options.type === 'luks1' ? 512 : (options.sectorSize ?? 4096);
  if (size % sectorSize !== 0) throw invalid(`a container size that is a multiple of ${sectorSize}`, `${size} bytes`);
  await cryptsetup.withKey([...args, file], key, { file, fresh: true });
  return dump(cryptsetup, file);
};

const syncPath = async (target: string): Promise<void> => {
  const handle = await open(target, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/**
 * Writes header and keyslots to a new file (mode 0400), durable on return. Whoever has it and an old key can open the container
 * for ever: guard it like a key, make a new one after each change of keys, and erase the former.
 */
export const headerBackup = async (cryptsetup: Cryptsetup, file: string, target: string): Promise<void> => {
  await dump(cryptsetup, file);
  const taken = await stat(target).then(
    () => true,
    () => false,
  );
  if (taken) throw new ReelError('already-exists', { expected: `no file at ${target}`, got: 'one' });
  await cryptsetup.call(['luksHeaderBackup', file, '--header-backup-file', target], { file });
  await syncPath(target);
  await syncPath(path.dirname(target));
};

/** Puts a backup back. Refuses one of another container (by UUID) where the container still has a readable header. */
export const headerRestore = async (cryptsetup: Cryptsetup, file: string, backup: string): Promise<LuksDump> => {
  const wanted = await dump(cryptsetup, backup);
  const present = await dump(cryptsetup, file).catch((error: unknown) => {
    if (error instanceof ReelError && (error.code === 'not-luks' || error.code === 'luks-damaged')) return null;
    throw error;
  });
  if (present !== null && present.uuid !== wanted.uuid)
    throw invalid(`a backup of container ${present.uuid}`, `one of ${wanted.uuid}`);
  await cryptsetup.call(['luksHeaderRestore', file, '--header-backup-file', backup], { file });
  return dump(cryptsetup, file);
};

/** Writes a damaged or older copy of a LUKS2 header anew from the other one. Throws `luks-damaged` when neither is whole. */
export const repair = async (cryptsetup: Cryptsetup, file: string): Promise<LuksDump> => {
  await dump(cryptsetup, file);
  await cryptsetup.call(['repair', file], { file });
  await syncPath(file);
  return dump(cryptsetup, file);
};

/** Destroys every keyslot: the data is lost for good, unless a header backup remains. Returns the slots that were destroyed. */
export const erase = async (cryptsetup: Cryptsetup, file: string): Promise<readonly number[]> => {
  const before = await dump(cryptsetup, file);
  if (before.keyslots.length > 0) await cryptsetup.call(['luksErase', file], { file });
  await syncPath(file);
  const left = (await dump(cryptsetup, file)).keyslots;
  if (left.length > 0) {
    throw new ReelError('io-error', { expected: `no keyslot left in ${file}`, got: `${left.length}` });
  }
  return before.keyslots.map((keyslot) => keyslot.slot);
};
