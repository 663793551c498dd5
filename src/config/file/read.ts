/** Reads the configuration file, or says why it may not be trusted. Who can write it can do what an admin can. */
import { isUtf8 } from 'node:buffer';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import path from 'node:path';
import { longestText } from './parse.ts';
import type { Problem } from './problem.ts';

export interface ReadText {
  /** Empty where there is no file; undefined where there are problems. */
  readonly text: string | undefined;
  /** Permission bits; undefined where there is no file. */
  readonly mode: number | undefined;
  readonly problems: readonly Problem[];
}

const about = (expected: string, got: string, line: number | null = null): ReadText => ({
  text: undefined,
  mode: undefined,
  problems: [{ line, column: line === null ? null : 1, key: '', expected, got }],
});

const openings: Readonly<Record<string, readonly [expected: string, got: string]>> = {
  ELOOP: ['the file itself', 'a symbolic link'],
  EACCES: ['a file that the service may read', 'EACCES: see its owner, its mode and those of the directories above it'],
  ENOTDIR: ['directories above the file', 'something else'],
  ENXIO: ['a regular file', 'something else'],
};

const othersMayWrite = 0o002;
const sticky = 0o1000;

/** Of a file or its directory: only root and the service may own it, and nobody else may write it. */
const mistrust = ({ uid, mode }: Stats, what: string): ReadText | undefined => {
  const own = process.getuid?.() ?? 0;
  if (uid !== 0 && uid !== own)
    return about(`${what} that belongs to root or to the service (user ${own})`, `one of user ${uid}`);
  // In a sticky directory others cannot put another file in the place of this one.
  if ((mode & othersMayWrite) !== 0 && !(what === 'a directory' && (mode & sticky) !== 0))
    return about(`${what} that others cannot write (chmod o-w)`, `mode ${(mode & 0o7777).toString(8)}`);
  return undefined;
};

const badLine = (bytes: Buffer): number => {
  let line = 1;
  for (let from = 0; from <= bytes.length; line += 1) {
    const end = bytes.indexOf(0x0a, from);
    if (end < 0 || !isUtf8(bytes.subarray(from, end))) return line;
    from = end + 1;
  }
  return line;
};

const readOpen = async (handle: FileHandle): Promise<ReadText> => {
  const info = await handle.stat();
  if (!info.isFile()) return about('a regular file', 'something else');
  const refused = mistrust(info, 'a file');
  if (refused !== undefined) return refused;
  const bytes = Buffer.alloc(longestText + 1);
  let length = 0;
  for (let read = 1; read > 0 && length < bytes.length; length += read)
    read = (await handle.read(bytes, length, bytes.length - length, null)).bytesRead;
  if (length > longestText) return about(`at most ${longestText} bytes`, 'more');
  return { ...decodeText(bytes.subarray(0, length)), mode: info.mode & 0o777 };
};

/** Text from outside, a mark of its byte order taken away. */
export const decodeText = (bytes: Buffer): ReadText =>
  isUtf8(bytes)
    ? { text: new TextDecoder().decode(bytes), mode: undefined, problems: [] }
    : about('UTF-8', 'other bytes', badLine(bytes));

export const readConfigFile = async (file: string): Promise<ReadText> => {
  const code = (error: NodeJS.ErrnoException): ReadText => {
    const [expected, got] = openings[error.code ?? ''] ?? ['a file that can be read', error.code ?? error.message];
    return about(expected, got);
  };
  try {
    // A pipe must not hang the service.
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      return mistrust(await stat(path.dirname(file)), 'a directory') ?? (await readOpen(handle));
    } finally {
      await handle.close();
    }
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return absent ? { text: '', mode: undefined, problems: [] } : code(error as NodeJS.ErrnoException);
  }
};
