/** Passphrases, as bytes that the caller zeroes: from a file or descriptor, from standard input, or typed without echo. Never from argv. */
import { readFile } from 'node:fs/promises';
import type { ReadStream } from 'node:tty';
import { ReelError } from '../errors.ts';

const newline = 0x0a;
const maxBytes = 64 * 1024;

/** All of standard input; the pieces are zeroed. */
const readAll = async (input: AsyncIterable<Buffer>): Promise<Buffer> => {
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of input) {
      pieces.push(piece);
      size += piece.length;
      if (size > maxBytes) break;
    }
    return Buffer.concat(pieces);
  } finally {
    for (const piece of pieces) piece.fill(0);
  }
};

const check = (secret: Buffer, where: string): Buffer => {
  if (secret.length > 0 && secret.length <= maxBytes) return secret;
  secret.fill(0);
  throw new ReelError('invalid-argument', {
    expected: `a passphrase of 1 to ${maxBytes} bytes from ${where}`,
    got: secret.length === 0 ? 'nothing' : 'more',
  });
};

const endings = new WeakMap<Buffer, string>();

/** What became of the newline at the end of what `readSecret` read; undefined where there was none. */
export const lineEndOf = (secret: Buffer): string | undefined => endings.get(secret);

const withEnding = (secret: Buffer, ending: string): Buffer => {
  if (secret.at(-1) === newline) endings.set(secret, ending);
  return secret;
};

const withoutLineEnd = (all: Buffer): Buffer => {
  if (all.at(-1) !== newline) return all;
  const secret = all.subarray(0, -1);
  endings.set(
    secret,
    'standard input ended in a newline, which was left out; a key that ends in one is given as a file',
  );
  return secret;
};

/**
 * `-` is standard input without its last line end (so that `echo` works); a file is taken byte for byte, line ends included, as
 * `cryptsetup --key-file` does. `/dev/fd/3` is descriptor 3.
 */
export const readSecret = async (source: string, stdin: AsyncIterable<Buffer> = process.stdin): Promise<Buffer> => {
  if (source === '-') {
    const all = await readAll(stdin);
    return check(withoutLineEnd(all), 'standard input');
  }
  try {
    const ending = `${source} ends in a newline, which was taken as a part of the key; \`--passphrase-file - < ${source}\` leaves it out`;
    return withEnding(check(await readFile(source), source), ending);
  } catch (cause) {
    if (cause instanceof ReelError) throw cause;
    const got = (cause as NodeJS.ErrnoException).code ?? 'a file that cannot be read';
    throw new ReelError('invalid-argument', { expected: `a passphrase in ${source}`, got, cause });
  }
};

const enter: readonly number[] = [0x0d, newline];
const giveUp: readonly number[] = [0x03, 0x04];
const backspace: readonly number[] = [0x7f, 0x08];
const startAgain = 0x15;

/** Reads one line into `typed`; its length. Not with an iterator: a second one on the same terminal never gets anything. */
const typedLine = (input: ReadStream, typed: Buffer): Promise<number> =>
  new Promise((resolve, reject) => {
    let length = 0;
    const stop = (): void => {
      input.off('data', take).off('end', end).pause();
    };
    const fail = (got: string): void => {
      stop();
      reject(new ReelError('invalid-argument', { expected: 'a passphrase', got }));
    };
    const end = (): void => fail('the end of the terminal');
    const take = (piece: Buffer): void => {
      const bytes = [...piece];
      piece.fill(0);
      for (const byte of bytes) {
        if (giveUp.includes(byte)) {
          fail('an end');
          return;
        }
        if (enter.includes(byte)) {
          stop();
          resolve(length);
          return;
        }
        if (byte === startAgain) length = 0;
        else if (backspace.includes(byte)) length = erase(typed, length);
        else if (length < typed.length) typed[length++] = byte;
      }
    };
    input.on('data', take).once('end', end).resume();
  });

/** Asks at the terminal without echo. Enter ends, backspace and Ctrl-U correct, Ctrl-C and Ctrl-D give up. */
export const askSecret = async (prompt: string, input: ReadStream, output: NodeJS.WritableStream): Promise<Buffer> => {
  const typed = Buffer.alloc(1024);
  // Before the prompt: who types at once, as a script does, would see it on the screen, and Ctrl-C would be a signal.
  input.setRawMode(true);
  output.write(prompt);
  try {
    const length = await typedLine(input, typed);
    return check(Buffer.from(typed.subarray(0, length)), 'the terminal');
  } finally {
    typed.fill(0);
    input.setRawMode(false);
    output.write('\n');
  }
};

/** Length without the last character: a character of UTF-8 is one byte that does not begin with the bits 10, and those after it. */
const erase = (typed: Buffer, length: number): number => {
  let end = length - 1;
  while (end > 0 && ((typed[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return Math.max(end, 0);
};

/** The passphrase that the options name: a file, the terminal, or none (`undefined`: the volume's key file is used). */
export const secretFrom = async (options: { passphraseFile?: string; ask?: boolean }): Promise<Buffer | undefined> => {
  if (options.passphraseFile !== undefined) return readSecret(options.passphraseFile);
  if (options.ask !== true) return undefined;
  if (process.stdin.isTTY) return askSecret('Passphrase: ', process.stdin, process.stderr);
  throw new ReelError('invalid-argument', {
    expected: 'a terminal to ask at',
    got: 'none',
    hint: 'use --passphrase-file - to read it from standard input',
  });
};
