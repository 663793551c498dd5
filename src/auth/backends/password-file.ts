/** A file of lines `user:hash`, read again when it was exchanged or written. Lines that are refused are told by number, never by content. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { readHash, refusedBecause, type Verifier } from './password-hash.ts';

export interface PasswordUser {
  /** The record itself: what is remembered of the user's former password does not hold for the new one. */
  readonly record: string;
  readonly verify: Verifier;
}

export interface RefusedLine {
  readonly line: number;
  readonly why: string;
}

export interface PasswordLines {
  readonly users: ReadonlyMap<string, PasswordUser>;
  readonly refused: readonly RefusedLine[];
}

const mostBytes = 4 * 1024 * 1024;

/** As Icecast reads it: the last colon parts user and hash, a line that begins with # is none. */
export const parsePasswordLines = (text: string, withMd5: boolean): PasswordLines => {
  const users = new Map<string, PasswordUser>();
  const refused: RefusedLine[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\r$/, '');
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.lastIndexOf(':');
    const [user, record] = [line.slice(0, colon), line.slice(colon + 1)];
    const verify = colon > 0 ? readHash(record, withMd5) : undefined;
    if (verify === undefined)
      refused.push({ line: index + 1, why: colon > 0 ? refusedBecause(record) : 'no user:hash' });
    // The first line of a user counts, as in every other reader of such files.
    else if (!users.has(user)) users.set(user, { record, verify });
  }
  return { users, refused };
};

const readWhole = async (file: FileHandle): Promise<string> => {
  const { size } = await file.stat();
  if (size > mostBytes) throw Object.assign(new Error('too large'), { code: 'EFBIG' });
  return (await file.readFile()).toString('utf8');
};

export interface PasswordFileParams {
  readonly path: string;
  readonly withMd5: boolean;
  /** Of lines that are refused, once for each state of the file. */
  readonly onRefused: (refused: readonly RefusedLine[]) => void;
}

export class PasswordFile {
  readonly #params: PasswordFileParams;
  #version = '';
  #lines: PasswordLines = { users: new Map(), refused: [] };

  constructor(params: PasswordFileParams) {
    this.#params = params;
  }

  /** Throws what the system says of a file that cannot be read; never follows a symbolic link. */
  async users(): Promise<ReadonlyMap<string, PasswordUser>> {
    const file = await open(this.#params.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
      const version = `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
      if (version !== this.#version) {
        this.#lines = parsePasswordLines(await readWhole(file), this.#params.withMd5);
        this.#version = version;
        if (this.#lines.refused.length > 0) this.#params.onRefused(this.#lines.refused);
      }
    } finally {
      await file.close();
    }
    return this.#lines.users;
  }
}
