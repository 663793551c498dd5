/** A new volume key for a LUKS2 container: cryptsetup decrypts and encrypts all of it in place, and survives any end in the middle. */
import { ReelError } from '../errors.ts';
import { spawnBackground } from '../exec/spawn-background.ts';
import type { Cryptsetup } from './calls.ts';
import { checkKey } from './key-bytes.ts';
import { pbkdfArgs } from './pbkdf.ts';
import type { LuksDump, Pbkdf } from './types.ts';

/** Whether the container is between two volume keys: its data is readable only to what knows both. */
export const isReencrypting = (header: Pick<LuksDump, 'requirements'>): boolean =>
  header.requirements.some((requirement) => /^(?:online|offline)-reencrypt/.test(requirement));

/**
 * Throws `reencryption-unfinished`: nothing but the reencryption itself may touch such a container. `otherwise` is what else an admin can do.
 */
export const refuseReencrypting = (header: Pick<LuksDump, 'requirements'>, name: string, otherwise?: string): void => {
  if (!isReencrypting(header)) return;
  throw new ReelError('reencryption-unfinished', {
    expected: `a container of ${name} with one volume key`,
    got: 'one whose reencryption is unfinished',
    hint: [`wait for it, or finish it with \`reelvault volume reencrypt resume ${name}\``, otherwise]
      .filter(Boolean)
      .join('; '),
  });
};

/** What is rewritten: a container that nobody has attached, or, with `online`, one in use. cryptsetup cannot tell: the caller has made sure. */
export interface Rewritten {
  readonly file: string;
  /** The mapping in use, and the block device below it that is the container. */
  readonly online?: { readonly mapping: string; readonly device: string } | undefined;
}

/**
 * It holds the piece in work in memory: up to a gigabyte by its own choice, 40 MB with pieces of 16 MiB, which are no slower
 * (docs/decisions/032-reencryption.md). Online, whoever writes to a piece waits while that one is in work, so small is good there, too.
 */
const reencrypt = ({ file, online }: Rewritten, options: readonly string[]): string[] => {
  const args = ['reencrypt', '--hotzone-size', '16M', '--key-file', '-', ...options];
  if (online === undefined) return [...args, '--force-offline-reencrypt', file];
  // As when it was opened: the volume keys in the mapping's table, so that a later resize needs none.
  return [...args, '--disable-keyring', '--active-name', online.mapping, online.device];
};

/**
 * Writes the new volume key and the state of the reencryption into the header; no data is touched yet. Only `slot`, which `key` opens, is
 * carried over (under another number): the keys of the others are not known here, and their slots go at the end.
 */
export const beginReencryption = async (
  cryptsetup: Cryptsetup,
  what: Rewritten,
  key: Buffer,
  { slot, pbkdf }: { readonly slot: number; readonly pbkdf: Pbkdf },
): Promise<void> => {
  // Checksums of the piece in work tell after a crash which of its sectors were written: half the writes of a journal.
  const options = ['--init-only', '--resilience', 'checksum', '--key-slot', String(slot), ...pbkdfArgs('luks2', pbkdf)];
  await cryptsetup.withKey(reencrypt(what, options), checkKey(key), { file: what.file, slot });
};

/**
 * Mends the piece that was being written when a reencryption was killed, by its checksums: a resume refuses a container that needs it.
 * Nothing where nothing is torn; may be killed and run again itself.
 */
export const recoverReencryption = async (cryptsetup: Cryptsetup, file: string, key: Buffer): Promise<void> => {
  await cryptsetup.withKey(['repair', '--key-file', '-', file], checkKey(key), { file });
};

/**
 * Goes on with a reencryption in a process of its own that outlives this one: a restart of the service in the middle of hours of work must
 * not stop it. At SIGTERM it ends after the piece in work, with all in order. `output` gets a line of JSON every two seconds, and what goes wrong.
 */
export const continueReencryption = async (
  what: Rewritten,
  key: Buffer,
  { output, env }: { readonly output: string; readonly env: Readonly<Record<string, string>> },
): Promise<void> => {
  const options = ['--batch-mode', '--resume-only', '--progress-json', '--progress-frequency', '2'];
  await spawnBackground('cryptsetup', reencrypt(what, options), { input: checkKey(key), output, env });
};
