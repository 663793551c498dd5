/** The files of the trail: `audit.jsonl` is written to, `audit-<sequence of its first entry>.jsonl` are full. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type AuditEntry, firstHash, type Link, parseLine } from './chain.ts';

export const currentFile = (directory: string): string => path.join(directory, 'audit.jsonl');
export const fullFile = (directory: string, first: number): string =>
  path.join(directory, `audit-${String(first).padStart(12, '0')}.jsonl`);

/** Full ones from the oldest on. */
export const fullFiles = async (directory: string): Promise<string[]> =>
  (await readdir(directory))
    .filter((name) => /^audit-\d{12}\.jsonl$/.test(name))
    .sort()
    .map((name) => path.join(directory, name));

/** The lines of a file; the last one is empty unless the file ends in the middle of an entry. */
export const linesOf = async (file: string): Promise<string[]> =>
  (
    await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    })
  ).split('\n');

export interface Verdict {
  readonly whole: boolean;
  readonly entries: number;
  /** Sequence of the oldest entry that is kept: 1 unless older files were removed. */
  readonly from: number | null;
  /** Of the newest one. Write its hash down elsewhere: only that shows that the whole trail was not made anew. */
  readonly last: Link | null;
  readonly problem: { readonly file: string; readonly line: number; readonly reason: string } | null;
}

const reasonAgainst = (entry: AuditEntry | undefined, last: Link | undefined): string | undefined => {
  if (entry === undefined) return 'its hash does not hold: it was changed, or it is no entry';
  if (last === undefined)
    return entry.sequence === 1 && entry.previous !== firstHash ? 'it is no first entry' : undefined;
  if (entry.sequence === last.sequence + 1 && entry.previous === last.hash) return undefined;
  return `entry ${entry.sequence} does not follow entry ${last.sequence}: something was removed or put in between`;
};

/** Reads all of the trail, file after file. */
export const verifyTrail = async (directory: string): Promise<Verdict> => {
  let last: Link | undefined;
  let from: number | null = null;
  let entries = 0;
  for (const file of [...(await fullFiles(directory)), currentFile(directory)]) {
    for (const [index, line] of (await linesOf(file)).entries()) {
      if (line === '') continue;
      const entry = parseLine(line);
      const reason = reasonAgainst(entry, last);
      if (entry === undefined || reason !== undefined) {
        const problem = { file: path.basename(file), line: index + 1, reason: reason ?? 'no entry' };
        return { whole: false, entries, from, last: last ?? null, problem };
      }
      from ??= entry.sequence;
      entries += 1;
      last = { sequence: entry.sequence, hash: entry.hash };
    }
  }
  return { whole: true, entries, from, last: last ?? null, problem: null };
};

/** The newest entries, oldest first; lines whose hash does not hold are left out. */
export const newestEntries = async (directory: string, limit: number): Promise<AuditEntry[]> => {
  let found: AuditEntry[] = [];
  for (const file of [currentFile(directory), ...(await fullFiles(directory)).toReversed()]) {
    const entries = (await linesOf(file)).map(parseLine).filter((entry) => entry !== undefined);
    found = [...entries, ...found];
    if (found.length >= limit) break;
  }
  return found.slice(-limit);
};
