/**
 * Turns cryptsetup's failure into an error of ours. Its exit codes: 2 wrong key, 3 no memory, 4 bad device, 5 busy or exists, and 1
 * for everything else: no LUKS header, no keyslot, unknown feature. So for 1 and 4 the container's state is looked at, never the text.
 */
import { ReelError, storageHints, toReelError } from '../errors.ts';
import type { Cryptsetup, Subject } from './calls.ts';
import { dump } from './dump.ts';
import { hasLuksMagic } from './magic.ts';

const wrap = (
  code: 'wrong-key' | 'out-of-memory' | 'volume-busy' | 'not-luks' | 'luks-damaged' | 'no-keyslot' | 'luks-unsupported',
  expected: string,
  got: string,
  cause: unknown,
  hint?: string,
): ReelError => new ReelError(code, hint === undefined ? { expected, got, cause } : { expected, got, cause, hint });

/**
 * cryptsetup keeps no errno: a failed read or write is exit code 1 without a reason, or with one of these, the last of them of a device
 * whose header has been read by then. It says why in all other cases, and its arguments are ours.
 */
const storageTexts =
  /wipe error|Cannot wipe|Failed to import token|Failed to acquire (?:read|write) lock|Device .* is not (?:accessible|a valid LUKS device)/;

/** What it says where it cannot read a header again just before it writes it, and where somebody else has written that header meanwhile. */
const changedText = /Detected attempt for concurrent LUKS2 metadata update/;
const changedHint = `${storageHints['io-error']}; if it names none, another program changed the header meanwhile: try again`;

/** What it says of a stdin without a key is no reason either: luksKillSlot says so whenever it needs none. */
const noReason =
  /^$|^Command failed with code|usable token|^Nothing to read on input\.$|^Failed to initialize LUKS2 reencryption in metadata\.$/;

const silent = (stderr: string): boolean => stderr.split('\n').every((line) => noReason.test(line));

const fromStorage = (cause: ReelError, { file }: Subject): ReelError | undefined => {
  const { exitCode, stderr } = cause.details;
  if (exitCode === null || typeof stderr !== 'string') return undefined;
  const changed = changedText.test(stderr);
  if (!changed && !storageTexts.test(stderr) && !(exitCode !== 5 && silent(stderr))) return undefined;
  return new ReelError('io-error', {
    expected: `cryptsetup to read and write ${file}`,
    got: cause.parts.got,
    hint: changed ? changedHint : storageHints['io-error'],
    cause,
    details: cause.details,
  });
};

const fromState = async (cause: ReelError, subject: Subject, cryptsetup: Cryptsetup): Promise<ReelError> => {
  const { file, slot, fresh = false } = subject;
  if (fresh) return fromStorage(cause, subject) ?? cause;
  if (!(await hasLuksMagic(file)))
    return wrap('not-luks', `a LUKS container at ${file}`, 'a file without a LUKS header', cause);
  let header: Awaited<ReturnType<typeof dump>>;
  try {
    header = await dump(cryptsetup, file);
  } catch (found) {
    if (toReelError(found).code === 'io-error') return toReelError(found);
    return wrap(
      'luks-damaged',
      `a whole LUKS header in ${file}`,
      'one that cryptsetup refuses',
      cause,
      'restore it from a header backup',
    );
  }
  if (header.requirements.length > 0) {
    // It names a requirement that it refuses, or says that no slot opens; a storage that failed it does not.
    const storage = fromStorage(cause, subject);
    if (storage !== undefined) return storage;
    return wrap('luks-unsupported', `no mandatory requirements in ${file}`, header.requirements.join(', '), cause);
  }
  const usable = header.keyslots.filter((keyslot) => keyslot.usable).map((keyslot) => keyslot.slot);
  if (usable.length === 0) {
    return wrap(
      'no-keyslot',
      `a keyslot in ${file}`,
      'none: the container was erased',
      cause,
      'restore a header backup, if one is left',
    );
  }
  if (slot !== undefined && !usable.includes(slot)) {
    return wrap('no-keyslot', `keyslot ${slot} in ${file}`, `keyslots ${usable.join(', ')}`, cause);
  }
  return fromStorage(cause, subject) ?? cause;
};

export const explain = async (error: unknown, subject: Subject, cryptsetup: Cryptsetup): Promise<unknown> => {
  if (!(error instanceof ReelError) || error.code !== 'command-failed') return error;
  const { exitCode, signal } = error.details;
  // A cgroup's limit shows as SIGKILL: the kernel's OOM killer, not cryptsetup, notices it.
  if (exitCode === 3 || signal === 'SIGKILL') {
    return wrap(
      'out-of-memory',
      'enough memory for the key derivation',
      exitCode === 3 ? 'no memory' : 'a kill by the kernel',
      error,
    );
  }
  // It was ended in the middle of something: what state the container is in says nothing about why.
  if (signal !== null) return error;
  if (exitCode === 2) return wrap('wrong-key', `a key that opens ${subject.file}`, 'one that opens no keyslot', error);
  if (exitCode === 5 && fromStorage(error, subject) === undefined)
    return wrap('volume-busy', `${subject.file} to be free`, 'a container or mapping in use', error);
  try {
    return await fromState(error, subject, cryptsetup);
  } catch (found) {
    return found; // the file is gone
  }
};
