/** The key that opens a volume now, as the options of a verb name it. */
import type { Command } from 'commander';
import { ReelError, toReelError } from '../errors.ts';
import { readRecoveryKey } from '../luks/recovery-key.ts';
import { askSecret, lineEndOf, readSecret } from './secret.ts';

export interface CurrentKeyOptions {
  readonly passphraseFile?: string;
  readonly ask?: boolean;
  /** True without a file: it is asked for. */
  readonly recovery?: string | true;
}

export const currentKeyOptions = (command: Command): Command =>
  command
    .option(
      '--passphrase-file <file>',
      'unlock with the bytes of this file, all of them, a newline too; - is standard input without its last newline',
    )
    .option('--ask', 'unlock with a passphrase that is asked for')
    .option('--recovery [file]', 'unlock with the recovery key: asked for, or from this file (- is standard input)');

const ask = (prompt: string): Promise<Buffer> => {
  if (process.stdin.isTTY) return askSecret(prompt, process.stdin, process.stderr);
  throw new ReelError('invalid-argument', {
    expected: 'a terminal to ask at',
    got: 'none',
    hint: 'name a file, or - for standard input',
  });
};

/** Dashes, case and look-alikes are put right, and a typo is told by its group, before anything is sent. */
const recoveryKey = async (source: string | true): Promise<Buffer> => {
  const typed = source === true ? await ask('Recovery key: ') : await readSecret(source);
  try {
    return readRecoveryKey(typed);
  } finally {
    typed.fill(0);
  }
};

/** This process runs one verb, so there is one key at most that its answer can be about. */
let lineEnd: string | undefined;

/** A key that opens nothing: whether it came with a newline, and whether that was taken along. Nothing else of it is told. */
export const explainLineEnd = (thrown: unknown): unknown => {
  const error = toReelError(thrown);
  if (error.code !== 'wrong-key' || lineEnd === undefined) return thrown;
  const hint = [error.parts.hint, lineEnd].filter(Boolean).join('; ');
  return new ReelError(error.code, { ...error.parts, hint, cause: error, details: error.details });
};

/** Undefined: the volume's key file is used. The caller zeroes it. Throws `invalid-argument` for two ways at once. */
export const currentKey = async ({
  passphraseFile,
  ask: asked,
  recovery,
}: CurrentKeyOptions): Promise<Buffer | undefined> => {
  const ways = [passphraseFile, asked, recovery].filter((way) => way !== undefined && way !== false);
  if (ways.length > 1) {
    const expected = 'one of --passphrase-file, --ask and --recovery';
    throw new ReelError('invalid-argument', { expected, got: `${ways.length} of them` });
  }
  if (recovery !== undefined) return recoveryKey(recovery);
  if (passphraseFile !== undefined) {
    const secret = await readSecret(passphraseFile);
    lineEnd = lineEndOf(secret);
    return secret;
  }
  return asked === true ? ask('Passphrase: ') : undefined;
};

/** A new passphrase, typed twice at a terminal. The caller zeroes it. */
export const newPassphrase = async (file: string | undefined): Promise<Buffer> => {
  if (file !== undefined) return readSecret(file);
  const first = await ask('New passphrase: ');
  const second = await ask('The same again: ').catch((error: unknown) => {
    first.fill(0);
    throw error;
  });
  const same = first.equals(second);
  second.fill(0);
  if (same) return first;
  first.fill(0);
  throw new ReelError('invalid-argument', { expected: 'the same passphrase twice', got: 'two different ones' });
};

/** The body and the query of a request with the key that opens now and, behind it, another secret. Zeroes both; the caller zeroes the body. */
export const joinSecrets = (
  current: Buffer | undefined,
  other: Buffer | undefined,
): { readonly body: Buffer | undefined; readonly query: URLSearchParams } => {
  const query = new URLSearchParams();
  if (current !== undefined) query.set('current', String(current.length));
  const parts = [current, other].filter((part) => part !== undefined);
  const body = parts.length === 0 ? undefined : Buffer.concat(parts);
  for (const part of parts) part.fill(0);
  return { body, query };
};
