/** Who did what, when, and how it ended: appended to a file, on disk before an act that needs it begins. */
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { ReelError } from '../errors.ts';
import { type AuditEntry, type AuditFacts, beforeFirst, firstHash, type Link, nextLine, parseLine } from './chain.ts';
import { currentFile, fullFile, fullFiles, linesOf, newestEntries, type Verdict, verifyTrail } from './files.ts';

export interface AuditTrailParams {
  readonly directory: string;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** A file that is larger is set aside. */
  readonly maxBytes?: number;
  /** Full files that are kept. */
  readonly keep?: number;
}

interface Waiting {
  readonly facts: AuditFacts;
  readonly resolve: () => void;
  readonly reject: (error: ReelError) => void;
}

const unavailable = (file: string, cause: unknown): ReelError =>
  new ReelError('audit-unavailable', {
    expected: `to write into the audit trail ${file}`,
    got: (cause as NodeJS.ErrnoException).code ?? 'a failure',
    hint: 'make room in the state directory; locking volumes works without it',
    cause,
  });

/** What a line that does not hold says of its place, as far as that can be read. */
const tampered = (line: string): Link => {
  const sequence = Number(/^\{"sequence":(\d{1,15}),/.exec(line)?.[1] ?? 0);
  return { sequence, hash: /"hash":"([0-9a-f]{64})"\}$/.exec(line)?.[1] ?? firstHash };
};

export class AuditTrail {
  readonly #params: AuditTrailParams;
  readonly #file: string;
  #handle: FileHandle | undefined;
  #last: Link = beforeFirst;
  /** Of the file, up to the last whole entry. */
  #size = 0;
  #firstInFile = 1;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  constructor(params: AuditTrailParams) {
    this.#params = params;
    this.#file = currentFile(params.directory);
  }

  /** Goes on where the trail ends. An entry that a crash cut in the middle was acknowledged to nobody: it is taken away. */
  async start(): Promise<void> {
    const { directory } = this.#params;
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
    try {
      this.#handle = await open(this.#file, flags, 0o600);
      const lines = await linesOf(this.#file);
      const torn = lines.pop() ?? '';
      this.#size = (await this.#handle.stat()).size - Buffer.byteLength(torn);
      if (torn !== '') await this.#handle.truncate(this.#size);
      const before = lines.length > 0 ? lines : await linesOf((await fullFiles(directory)).at(-1) ?? this.#file);
      const newest = before.findLast((line) => line !== '');
      // One that was tampered with is not mended: the next entry begins after it, and `verify` shows the break.
      const entry = newest === undefined ? undefined : (parseLine(newest) ?? tampered(newest));
      if (entry !== undefined) this.#last = { sequence: entry.sequence, hash: entry.hash };
      this.#firstInFile = lines.length > 0 ? tampered(lines[0] ?? '').sequence : this.#last.sequence + 1;
    } catch (cause) {
      throw unavailable(this.#file, cause);
    }
  }

  /** Resolves once the entry is on disk; those of the same moment share one sync. Throws `audit-unavailable`; then nothing of it is in the file. */
  record(facts: AuditFacts): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ facts, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Number of the newest entry on disk; 0 before the first. */
  get entries(): number {
    return this.#last.sequence;
  }

  newest(limit: number): Promise<AuditEntry[]> {
    return newestEntries(this.#params.directory, limit);
  }

  verify(): Promise<Verdict> {
    return verifyTrail(this.#params.directory);
  }

  /** After the last entry. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #writeAll(): Promise<void> {
    // Not at once: what is recorded in this turn of the event loop goes together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(batch.map(({ facts }) => facts));
        for (const { resolve } of batch) resolve();
      } catch (cause) {
        const error = unavailable(this.#file, cause);
        for (const { reject } of batch) reject(error);
      }
    }
    // In the same turn as the last look at those who wait: whoever comes later begins anew.
    this.#writing = undefined;
  }

  async #write(all: readonly AuditFacts[]): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined) throw new Error('closed');
    const time = new Date(this.#params.now()).toISOString();
    let last = this.#last;
    let text = '';
    for (const facts of all) {
      const { line, link } = nextLine(last, time, facts);
      text += `${line}\n`;
      last = link;
    }
    try {
      await handle.appendFile(text);
      await handle.datasync();
    } catch (error) {
      // A full disk takes part of a line: it must not stay, or the next entry would be glued to it.
      await handle.truncate(this.#size);
      throw error;
    }
    this.#last = last;
    this.#size += Buffer.byteLength(text);
    // The entries are on disk: that a full file cannot be set aside now is no reason to say otherwise, and is tried again.
    if (this.#size > (this.#params.maxBytes ?? 16 * 1024 * 1024)) await this.#rotate(handle).catch(() => undefined);
  }

  async #rotate(handle: FileHandle): Promise<void> {
    const { directory, keep = 20 } = this.#params;
    await rename(this.#file, fullFile(directory, this.#firstInFile));
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_EXCL;
    this.#handle = await open(this.#file, flags, 0o600);
    await handle.close();
    this.#size = 0;
    this.#firstInFile = this.#last.sequence + 1;
    for (const old of (await fullFiles(directory)).slice(0, -keep)) await rm(old);
  }
}
