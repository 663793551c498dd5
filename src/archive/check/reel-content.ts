/** What one reel, its index and its signature say of each other. Pure but for reading the reel's bytes; used on a volume and on copies. */
import type { KeyObject } from 'node:crypto';
import { decodeIndex, indexSlotBytes, type SegmentRecord } from '../../native.ts';
import { chainOf, decodeStatement, type EvidenceStatement, signatureHolds } from '../evidence/signature.ts';
import { headerUuid, recordBytes, recordSlots } from '../index-slots.ts';
import { hourUs } from '../reel.ts';
import { endUs } from '../segment.ts';
import { type Finding, finding, some } from './findings.ts';
import type { Pace } from './pace.ts';
import { sumSegment } from './segment-sums.ts';

export interface ReelFiles {
  /** Paths for the findings. */
  readonly reel: string;
  readonly index: string;
  readonly signature: string;
}

export interface IndexLook {
  readonly findings: readonly Finding[];
  readonly records: readonly SegmentRecord[];
  readonly evidence: boolean;
  readonly uuid: string;
  /** Of the whole file. */
  readonly bytes: Buffer;
}

const missingNumbers = (records: readonly SegmentRecord[], slots: number): number[] => {
  const there = new Set(records.map(({ sequence }) => sequence));
  return Array.from({ length: slots }, (_, number) => number).filter((number) => !there.has(number));
};

/** The numbers of records that `wrong` says so of, seen against the one of the number before. */
const behindWrongly = (
  records: readonly SegmentRecord[],
  wrong: (record: SegmentRecord, former: SegmentRecord | undefined) => boolean,
): number[] =>
  records
    .filter((record, place) => {
      const former = records[place - 1];
      // Where the one between does not hold, that is told.
      return record.sequence === (former === undefined ? 0 : former.sequence + 1) && wrong(record, former);
    })
    .map(({ sequence }) => sequence);

const bytesEnd = (record: SegmentRecord | undefined): number =>
  record === undefined ? 0 : record.offset + record.length;

/** Bytes before these segments belong to none. */
const holes = (records: readonly SegmentRecord[]): number[] =>
  behindWrongly(records, ({ offset }, former) => offset > bytesEnd(former));

/** Segments never overlap, neither in bytes nor in time. Rounding to µs may make one of them look early. */
const disorder = (records: readonly SegmentRecord[]): number[] =>
  behindWrongly(
    records,
    ({ offset, startUs }, former) =>
      former !== undefined && (offset < bytesEnd(former) || startUs < endUs({ ...former, hour: 0 }) - 1),
  );

/**
 * Judges an index against the hour of its name and the length of its reel. `open`: a writer has the reel; what stands behind the last record
 * that starts at `limitUs` or before is not looked at.
 */
export const lookAtIndex = (params: {
  readonly files: ReelFiles;
  readonly bytes: Buffer;
  readonly reelBytes: number;
  readonly hour: number | undefined;
  readonly limitUs: number | undefined;
}): IndexLook => {
  const { files, bytes, reelBytes, hour, limitUs } = params;
  const found: Finding[] = [];
  const index = decodeIndex(bytes);
  const uuid = bytes.length < indexSlotBytes ? '' : headerUuid(bytes);
  if (index.hourUs === null || (hour !== undefined && index.hourUs !== hour * hourUs)) {
    const got = index.hourUs === null ? 'its header does not hold' : 'its header is that of another hour';
    return { findings: [finding('index-header', files.index, got)], records: [], evidence: false, uuid, bytes };
  }
  const open = limitUs !== undefined;
  const records = open ? index.records.filter(({ startUs }) => startUs <= limitUs) : index.records;
  const last = records.at(-1);
  const slots = open ? (last?.sequence ?? -1) + 1 : recordSlots(bytes.length);
  const bad = missingNumbers(records, slots);
  if (bad.length > 0)
    found.push(
      finding('index-record', files.index, `${bad.length} of ${slots} records do not hold: number ${some(bad)}`),
    );
  if (!open && bytes.length % indexSlotBytes !== 0)
    found.push(finding('index-size', files.index, `${bytes.length} bytes are no whole number of records`));
  const early = disorder(records);
  if (early.length > 0)
    found.push(finding('record-order', files.index, `segments do not follow each other: number ${some(early)}`));
  const behindHoles = holes(records);
  if (behindHoles.length > 0)
    found.push(finding('reel-hole', files.reel, `bytes that belong to no segment, before number ${some(behindHoles)}`));
  const end = bytesEnd(last);
  if (end > reelBytes) found.push(finding('reel-short', files.reel, `${reelBytes} bytes, and its index names ${end}`));
  if (!open && bad.length === 0 && end < reelBytes)
    found.push(finding('reel-long', files.reel, `${reelBytes - end} bytes behind the last record`));
  return { findings: found, records, evidence: index.evidence, uuid, bytes };
};

export interface BytesLook {
  readonly findings: readonly Finding[];
  /** The numbers of segments that are not whole. */
  readonly bad: ReadonlySet<number>;
}

/** Sums every segment of the reel open as `fd`. */
export const lookAtBytes = (fd: number, records: readonly SegmentRecord[], files: ReelFiles, pace: Pace): BytesLook => {
  const bad = new Set<number>();
  const differ: number[] = [];
  const unreadable: string[] = [];
  for (const record of records) {
    try {
      const verdict = sumSegment(fd, record, pace);
      if (verdict !== 'whole') bad.add(record.sequence);
      // What lies behind the end of the file was told from the index.
      if (verdict === 'crc32c' || verdict === 'sha256') differ.push(record.sequence);
    } catch (error) {
      const { code, syscall } = error as NodeJS.ErrnoException;
      if (code === undefined || syscall !== 'read') throw error;
      bad.add(record.sequence);
      unreadable.push(`${record.sequence} (${code})`);
    }
  }
  const found: Finding[] = [];
  if (differ.length > 0)
    found.push(
      finding(
        'bytes-differ',
        files.reel,
        `${differ.length} of ${records.length} segments are not the bytes that were recorded: number ${some(differ)}`,
      ),
    );
  if (unreadable.length > 0)
    found.push(finding('unreadable', files.reel, `segments that cannot be read: number ${some(unreadable)}`));
  return { findings: found, bad };
};

export interface SignatureLook {
  readonly findings: readonly Finding[];
  /** Where the file can be read as one. */
  readonly statement: EvidenceStatement | undefined;
}

/**
 * Judges a signature: by the key it names, against the index and (on a volume) against the place where it lies. `keys`: public keys by hexadecimal id.
 * A reel that went on after it was signed has more records than the signature covers; what it covers must hold nevertheless.
 */
export const lookAtSignature = (params: {
  readonly files: ReelFiles;
  readonly bytes: Buffer;
  readonly index: Pick<IndexLook, 'bytes' | 'uuid'> | undefined;
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly place?: { readonly stream: string; readonly hour: number };
}): SignatureLook => {
  const { files, bytes, index, keys, place } = params;
  const path = files.signature;
  const statement = decodeStatement(bytes);
  if (statement === undefined)
    return { findings: [finding('signature-damaged', path, 'no signature file of this layout')], statement };
  const key = keys.get(statement.key.toString('hex'));
  if (key === undefined)
    return {
      findings: [finding('signature-key', path, `made with another key: ${statement.key.toString('hex')}`)],
      statement,
    };
  if (!signatureHolds(bytes, key))
    return { findings: [finding('signature-damaged', path, 'the signature does not hold')], statement: undefined };
  const found: Finding[] = [];
  const differs = (what: string): void => void found.push(finding('signature-mismatch', path, what));
  if (place !== undefined && (place.stream !== statement.stream || place.hour !== statement.hour))
    differs(`it is of another reel: stream ${statement.stream}, ${hourText(statement.hour)}`);
  if (index !== undefined) {
    const slots = recordSlots(index.bytes.length);
    if (index.uuid !== statement.uuid) differs('it is of a reel of another volume');
    else if (slots < statement.records) differs(`${statement.records} records were signed, and the index has ${slots}`);
    else if (!chainOf(recordBytes(index.bytes, statement.records), statement).equals(statement.link))
      differs('the index is not the one that was signed');
  }
  return { findings: found, statement };
};

/** `2026-11-21T14Z` */
export const hourText = (hour: number): string => `${new Date(hour * 3_600_000).toISOString().slice(0, 13)}Z`;
