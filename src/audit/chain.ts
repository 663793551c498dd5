/** Entries of the audit trail, each bound to the one before by a hash: what is changed, removed or put in between breaks the chain. */
import { createHash } from 'node:crypto';

export interface AuditFacts {
  /** Route (`POST /api/v1/volumes/:name/lock`) or name of an automatic act (`volume.paused`, `login.failed`). */
  readonly act: string;
  /** `begin` is written before the act, `end` after it; `done` stands for both. */
  readonly phase: 'begin' | 'end' | 'done';
  readonly who: Readonly<Record<string, unknown>>;
  /** Parameters without secrets. */
  readonly what: Readonly<Record<string, unknown>>;
  /** Status and error code; empty in `begin`. */
  readonly outcome: Readonly<Record<string, unknown>>;
  readonly requestId: string | null;
}

export interface AuditEntry extends AuditFacts {
  readonly sequence: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** Hash of the entry before; of the first one `firstHash`. */
  readonly previous: string;
  /** SHA-256, hexadecimal, of the JSON of all the other fields as they stand in the line. */
  readonly hash: string;
}

export interface Link {
  readonly sequence: number;
  readonly hash: string;
}

export const firstHash = '0'.repeat(64);
export const beforeFirst: Link = { sequence: 0, hash: firstHash };

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The line of the next entry, without its line end. */
export const nextLine = (last: Link, time: string, facts: AuditFacts): { line: string; link: Link } => {
  const body = JSON.stringify({ sequence: last.sequence + 1, time, ...facts, previous: last.hash });
  const hash = hashOf(body);
  return { line: `${body.slice(0, -1)},"hash":"${hash}"}`, link: { sequence: last.sequence + 1, hash } };
};

/** The entry of a line whose hash holds; undefined for any other text. */
export const parseLine = (line: string): AuditEntry | undefined => {
  const match = /^(\{.*),"hash":"([0-9a-f]{64})"\}$/s.exec(line);
  if (match === null || hashOf(`${match[1]}}`) !== match[2]) return undefined;
  try {
    return JSON.parse(line) as AuditEntry;
  } catch {
    return undefined;
  }
};
