/** Mappings of the kernel engine: dm-crypt by `cryptsetup open`. The device is a loop device that the caller attached and owns. */
import { ReelError } from '../errors.ts';
import type { Cryptsetup } from './calls.ts';
import { deviceMapperUsable } from './device-mapper.ts';
import { checkKey } from './key-bytes.ts';
import { unlockOptions } from './keyslots.ts';
import { type MappingStatus, parseStatus } from './status.ts';

export interface OpenOptions {
  readonly device: string;
  /** The name below /dev/mapper. */
  readonly name: string;
  readonly key: Buffer;
  readonly readOnly?: boolean;
  readonly slot?: number;
  /** Names of dm-crypt's switches, as in cryptsetup's `--perf-…`. */
  readonly performance?: readonly string[];
  /** Hands discards down. */
  readonly discard?: boolean;
}

const checkName = (name: string): string => {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$/.test(name)) return name;
  throw new ReelError('invalid-argument', {
    expected: 'a mapping name of letters, digits, ".", "_" and "-"',
    got: name,
  });
};

const needDeviceMapper = async (): Promise<void> => {
  if (await deviceMapperUsable()) return;
  throw new ReelError('engine-unavailable', {
    expected: 'a kernel with device-mapper',
    got: 'none',
    hint: 'use the userspace engine',
  });
};

/**
 * Maps the device. The volume key goes into the table and not into the kernel's keyring, so that a later resize needs no key.
 * Throws `already-exists` where the name is mapped, besides what a key test throws.
 */
export const openMapping = async (cryptsetup: Cryptsetup, options: OpenOptions): Promise<void> => {
  const { device, key, readOnly = false, slot, performance = [], discard = false } = options;
  const name = checkName(options.name);
  checkKey(key);
  await needDeviceMapper();
  if ((await statusText(cryptsetup, name)) !== null) {
    throw new ReelError('already-exists', { expected: `no mapping ${name}`, got: 'one', hint: 'adopt or close it' });
  }
  const flags = [
    ...(readOnly ? ['--readonly'] : []),
    ...(discard ? ['--allow-discards'] : []),
    ...performance.map((flag) => `--perf-${flag}`),
    ...(slot === undefined ? [] : ['--key-slot', String(slot)]),
  ];
  const args = ['open', '--type', 'luks', ...unlockOptions, '--disable-keyring', ...flags, device, name];
  await cryptsetup.withKey(args, key, { file: device, slot });
};

/** Removes the mapping, whatever is in it; true when there was one. Throws `volume-busy` while something holds it. */
export const closeMapping = async (cryptsetup: Cryptsetup, name: string): Promise<boolean> => {
  if (!(await deviceMapperUsable())) return false;
  if ((await statusText(cryptsetup, name)) === null) return false;
  await cryptsetup.call(['close', checkName(name)], { file: `/dev/mapper/${name}` });
  return true;
};

/** Null when nothing of that name is mapped. */
export const mappingStatus = async (cryptsetup: Cryptsetup, name: string): Promise<MappingStatus | null> => {
  await needDeviceMapper();
  const text = await statusText(cryptsetup, name);
  return text === null ? null : parseStatus(text);
};

const statusText = async (cryptsetup: Cryptsetup, name: string): Promise<string | null> => {
  const subject = { file: `/dev/mapper/${checkName(name)}` };
  const { exitCode, stdout } = await cryptsetup.call(['status', name], subject, [0, 4]);
  return exitCode === 4 ? null : stdout.toString('utf8');
};

/** Grows the mapping to its device, after the loop device was told the new size. */
export const resizeMapping = async (cryptsetup: Cryptsetup, name: string): Promise<void> => {
  await needDeviceMapper();
  await cryptsetup.call(['resize', checkName(name)], { file: `/dev/mapper/${name}` });
};
