/**
 * Proves reels to somebody who has only the files and a public key: no service, no volume. Finds every reel, index and signature below
 * what it is given, whatever the directories are called, and judges each by what its signature says. Blocks its thread.
 */

import type { KeyObject } from 'node:crypto';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { ReelError } from '../../errors.ts';
import { decodeIndex } from '../../native.ts';
import { type Finding, type FindingCode, finding, findingKinds } from '../check/findings.ts';
import { unpaced } from '../check/pace.ts';
import { type IndexLook, lookAtBytes, lookAtIndex, lookAtSignature, type ReelFiles } from '../check/reel-content.ts';
import { hourOf } from '../reel.ts';
import { judgeLink, type Link, linkOf } from './chain-check.ts';
import { decodeStatement, type EvidenceStatement } from './signature.ts';
import { findReels, read, streamOfPath, whenThere } from './verify-files.ts';

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
  /** `partly`: nothing is wrong with what was recorded with evidence, and something was recorded without. */
  readonly outcome: 'proved' | 'partly' | 'not-proved';
  /** Everything that was found is whole, signed with a key that was given, and in one piece. */
  readonly proved: boolean;
  readonly reels: readonly ProvedReel[];
  readonly problems: readonly Finding[];
}

const filesOf = (base: string): ReelFiles => ({ reel: `${base}.ts`, index: `${base}.idx`, signature: `${base}.sig` });

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

const withoutSignature = (files: ReelFiles, index: IndexLook | undefined): Finding =>
  index !== undefined && index.records.length > 0 && index.records.every(({ sha256 }) => sha256 === null)
    ? finding('no-evidence', files.reel, 'it was recorded without')
    : finding('signature-missing', files.signature, 'it is not here');

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
    fd = whenThere(files.reel, () => openSync(files.reel, 'r')) ?? -1;
    if (fd < 0) found.push(finding('reel-missing', files.reel, 'it is not here'));
    if (index === undefined) found.push(finding('index-missing', files.index, 'it is not here'));
    const reelBytes = fd < 0 ? Number.MAX_SAFE_INTEGER : fstatSync(fd).size;
    const look =
      index === undefined
        ? undefined
        : lookAtIndex({ files, bytes: index, reelBytes, hour: statement?.hour, limitUs: undefined });
    // Nothing of a reel without a signature is proved: what stands behind its records says no more.
    const told = fd >= 0 && signature !== undefined;
    found.push(...(look?.findings ?? []).filter(({ code }) => told || code !== 'reel-long'));
    const sums = look === undefined || fd < 0 ? undefined : lookAtBytes(fd, look.records, files, unpaced());
    found.push(...(sums?.findings ?? []));
    if (signature === undefined) found.push(withoutSignature(files, look));
    else {
      const signed = lookAtSignature({ files, bytes: signature, index: look, keys });
      found.push(...signed.findings);
      const covered = look?.records.filter(({ sequence }) => sequence < (signed.statement?.records ?? 0)) ?? [];
      segments = covered.length;
      const whole = signed.findings.length === 0 && sums !== undefined;
      proved = covered.filter(({ sha256, sequence }) => whole && sha256 !== null && !sums.bad.has(sequence)).length;
      const without = covered.filter(({ sha256 }) => sha256 === null).length;
      if (whole && without > 0)
        found.push(finding('no-evidence', files.reel, `${without} of ${segments} segments were recorded without`));
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

const ofStream = ({ statement, files }: Seen, stream: string | undefined): boolean => {
  if (stream === undefined) return true;
  // What neither says cannot be left out either.
  return (statement?.stream ?? streamOfPath(files.reel.slice(0, -'.ts'.length)) ?? stream) === stream;
};

/** What somebody can do who has only the files: the table's advice is for the host. */
const hints: Partial<Record<FindingCode, string>> = {
  'no-evidence': findingKinds['no-evidence'].hint,
  'signature-key': findingKinds['signature-key'].hint,
  'signature-missing':
    'it was being recorded when it was copied, or its host has not signed it: ask for a copy that was made later',
  'reel-long': 'they are not proved: a reel that is being recorded has such, to another one somebody added them',
  'chain-hole': 'they were not given to you, or the host deleted them: its audit trail says when',
};
const otherHint = 'not what was signed, or not all of it: ask whoever keeps the recordings for another copy';

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
  const reels = looks.map(({ reel }) => reel);
  const partly = problems.every(({ code }) => code === 'no-evidence') && reels.some(({ proved }) => proved > 0);
  return {
    outcome: problems.length === 0 ? 'proved' : partly ? 'partly' : 'not-proved',
    proved: problems.length === 0,
    reels,
    problems: problems.map((one) => ({ ...one, hint: hints[one.code] ?? otherHint })),
  };
};
