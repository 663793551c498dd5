/**
 * Proves reels to somebody who has only the files and a public key: no service, no volume. Finds every reel, index and signature below
 * what it is given, whatever the directories are called, and judges each by what its signature says. Blocks its thread.
 */

import type { KeyObject } from 'node:crypto';
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { ReelError } from '../../errors.ts';
import { decodeIndex } from '../../native.ts';
import { type Finding, finding } from '../check/findings.ts';
import { unpaced } from '../check/pace.ts';
import { lookAtBytes, lookAtIndex, lookAtSignature, type ReelFiles } from '../check/reel-content.ts';
import { hourOf } from '../reel.ts';
import { judgeLink, type Link, linkOf } from './chain-check.ts';
import { decodeStatement, type EvidenceStatement } from './signature.ts';

export interface VerifyOptions {
  readonly keys: ReadonlyMap<string, KeyObject>;
  /** Only reels of these hours (since the Unix epoch), both included. */
  readonly fromHour?: number;
  readonly toHour?: number;
  readonly stream?: string;
}

export interface ProvedReel {
  /** Of the `.ts`. */
  readonly path: string;
  /** Null where there is no signature that can be read. */
  readonly stream: string | null;
  readonly volume: string | null;
  /** ISO 8601, the start of the hour. */
  readonly hour: string | null;
  readonly number: number | null;
  /** Segments that the signature covers, and how many of them were recorded with evidence: only their bytes are proved. */
  readonly segments: number;
  readonly proved: number;
  /** ISO 8601, by the clock of the host that recorded. */
  readonly signedAt: string | null;
  /** Signed after a crash, from what was on disk. */
  readonly recovered: boolean;
  /** Of the key that signed, hexadecimal. */
  readonly key: string | null;
}

export interface Proof {
  /** Everything that was found is whole, signed with a key that was given, and in one piece. */
  readonly proved: boolean;
  readonly reels: readonly ProvedReel[];
  readonly problems: readonly Finding[];
}

const filesOf = (base: string): ReelFiles => ({ reel: `${base}.ts`, index: `${base}.idx`, signature: `${base}.sig` });

/** Names of reels without their extension: those of the file, or all below the directory. */
const findReels = (place: string): string[] => {
  const bases = new Set<string>();
  const take = (file: string): void => {
    const { dir, name, ext } = path.parse(file);
    if (['.ts', '.idx', '.sig'].includes(ext) && !name.startsWith('.')) bases.add(path.join(dir, name));
  };
  try {
    if (!statSync(place).isDirectory()) take(place);
    else
      for (const entry of readdirSync(place, { recursive: true, withFileTypes: true }))
        if (entry.isFile()) take(path.join(entry.parentPath, entry.name));
  } catch (cause) {
    const { code = 'a failure' } = cause as NodeJS.ErrnoException;
    throw new ReelError(code === 'ENOENT' ? 'not-found' : 'io-error', {
      expected: `to read ${place}`,
      got: code,
      cause,
    });
  }
  if (bases.size === 0)
    throw new ReelError('not-found', {
      expected: 'a reel (.ts, with its .idx and .sig beside it) or a directory of them',
      got: place,
    });
  return [...bases].sort();
};

const read = (file: string): Buffer | undefined => {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};

interface Seen {
  readonly files: ReelFiles;
  readonly signature: Buffer | undefined;
  readonly statement: EvidenceStatement | undefined;
  /** As the signature says, else the index; undefined where neither can be read. */
  readonly hour: number | undefined;
}

const look = (base: string): Seen => {
  const files = filesOf(base);
  const signature = read(files.signature);
  const statement = signature === undefined ? undefined : decodeStatement(signature);
  if (statement !== undefined) return { files, signature, statement, hour: statement.hour };
  const startUs = decodeIndex(read(files.index) ?? Buffer.alloc(0)).hourUs;
  return { files, signature, statement, hour: startUs === null ? undefined : hourOf(startUs) };
};

const isoHour = (hour: number): string => new Date(hour * 3_600_000).toISOString();

/** A record that stands behind those that were signed is not proved, whatever it says. */
const lookAtReel = (
  { files, signature, statement }: Seen,
  keys: VerifyOptions['keys'],
): { reel: ProvedReel; found: Finding[] } => {
  const found: Finding[] = [];
  const index = read(files.index);
  let segments = 0;
  let proved = 0;
  let fd = -1;
  try {
    try {
      fd = openSync(files.reel, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      found.push(finding('reel-missing', files.reel, 'it is not here'));
    }
    if (index === undefined) found.push(finding('index-missing', files.index, 'it is not here'));
    const reelBytes = fd < 0 ? Number.MAX_SAFE_INTEGER : fstatSync(fd).size;
    const look =
      index === undefined
        ? undefined
        : lookAtIndex({ files, bytes: index, reelBytes, hour: statement?.hour, limitUs: undefined });
    found.push(...(look?.findings ?? []).filter(({ code }) => fd >= 0 || code !== 'reel-long'));
    if (look !== undefined && fd >= 0) found.push(...lookAtBytes(fd, look.records, files, unpaced()));
    if (signature === undefined) found.push(finding('signature-missing', files.signature, 'it is not here'));
    else {
      const signed = lookAtSignature({ files, bytes: signature, index: look, keys });
      found.push(...signed.findings);
      const covered = look?.records.filter(({ sequence }) => sequence < (signed.statement?.records ?? 0)) ?? [];
      segments = covered.length;
      proved = found.length === 0 ? covered.filter(({ sha256 }) => sha256 !== null).length : 0;
      const behind = (look?.records.length ?? 0) - covered.length;
      if (signed.statement !== undefined && signed.findings.length === 0 && behind > 0)
        found.push(finding('signature-missing', files.signature, `${behind} segments came after it was made`));
    }
  } finally {
    if (fd >= 0) closeSync(fd);
  }
  return {
    reel: {
      path: files.reel,
      stream: statement?.stream ?? null,
      volume: statement?.uuid ?? null,
      hour: statement === undefined ? null : isoHour(statement.hour),
      number: statement?.number ?? null,
      segments,
      proved,
      signedAt: statement === undefined ? null : new Date(statement.signedAt).toISOString(),
      recovered: statement?.recovered ?? false,
      key: statement?.key.toString('hex') ?? null,
    },
    found,
  };
};

const ofStream = ({ statement }: Seen, stream: string | undefined): boolean =>
  // What cannot be read cannot be left out either.
  statement === undefined || stream === undefined || statement.stream === stream;

/** Whether anything of the hours `first` to `last` is asked for. */
const touches = (first: number, last: number, { fromHour, toHour }: VerifyOptions): boolean =>
  last >= (fromHour ?? Number.NEGATIVE_INFINITY) && first <= (toHour ?? Number.POSITIVE_INFINITY);

/** The chain of each stream: what is here must follow each other without a hole that lies in the range. Reels around the range show holes at its ends. */
const judgeChains = (all: readonly Seen[], options: VerifyOptions): Finding[] => {
  const chains = new Map<string, Seen[]>();
  for (const one of all) {
    if (one.statement === undefined) continue;
    const { uuid, stream } = one.statement;
    const key = `${uuid}/${stream}`;
    chains.set(key, [...(chains.get(key) ?? []), one]);
  }
  const found: Finding[] = [];
  for (const chain of chains.values()) {
    chain.sort((a, b) => (a.statement?.number ?? 0) - (b.statement?.number ?? 0));
    let former: Link | undefined;
    for (const { statement, signature, files } of chain) {
      if (statement === undefined || signature === undefined) continue;
      if (touches(former === undefined ? statement.hour : former.hour + 1, statement.hour, options))
        found.push(...judgeLink(former, statement, files.signature));
      former = linkOf(statement, signature);
    }
  }
  return found;
};

/** `place`: a `.ts`, or a directory. `not-found` where there is none, or none of the range. */
export const verifyEvidence = (place: string, options: VerifyOptions): Proof => {
  const all = findReels(place)
    .map(look)
    .filter((one) => ofStream(one, options.stream));
  // What cannot be read cannot be left out either.
  const seen = all.filter(({ hour }) => hour === undefined || touches(hour, hour, options));
  if (seen.length === 0)
    throw new ReelError('not-found', { expected: 'signed reels of this range', got: `none in ${place}` });
  const looks = seen.map((one) => lookAtReel(one, options.keys));
  const problems = [...looks.flatMap(({ found }) => found), ...judgeChains(all, options)];
  return { proved: problems.length === 0, reels: looks.map(({ reel }) => reel), problems };
};
