/** Signs one closed reel and moves the head of its stream's chain on to it. */
import { decodeIndex } from '../../native.ts';
import { headerUuid, largestIndex, recordBytes, recordSlots } from '../index-slots.ts';
import { indexPath, signaturePath } from '../reel.ts';
import type { VolumeFiles } from '../volume-files.ts';
import { type Link, linkOf } from './chain-check.ts';
import { type ChainHead, writeHead } from './head.ts';
import type { SigningKey } from './key-store.ts';
import { readFileAt } from './read-file.ts';
import { chainOf, decodeStatement, type EvidenceStatement, signStatement } from './signature.ts';

export interface SignOptions {
  readonly files: VolumeFiles;
  readonly stream: string;
  readonly hour: number;
  readonly head: ChainHead;
  readonly key: SigningKey;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Signed from what is on disk, later than at its close. */
  readonly recovered: boolean;
}

const sameContent = (one: EvidenceStatement, other: EvidenceStatement): boolean =>
  one.number === other.number &&
  one.records === other.records &&
  one.reelBytes === other.reelBytes &&
  one.uuid === other.uuid &&
  one.previous.equals(other.previous) &&
  one.link.equals(other.link);

const readStatement = (
  files: VolumeFiles,
  stream: string,
  hour: number,
): { bytes: Buffer; statement: EvidenceStatement } | undefined => {
  const bytes = readFileAt(files, signaturePath(stream, hour), 4096);
  const statement = bytes === undefined ? undefined : decodeStatement(bytes);
  return bytes === undefined || statement === undefined ? undefined : { bytes, statement };
};

/**
 * The head after it: `head` itself where the hour has no reel with evidence, or one that is signed as it is. 1 write the signature beside the
 * reel, 2 write the head; each replaces the whole file and is durable. A crash between leaves a signature that the next call takes over.
 * A reel that went on after it was signed keeps its place in the chain: it is the newest one then.
 */
export const signReel = async (options: SignOptions): Promise<ChainHead> => {
  const { files, stream, hour, head, key, now, recovered } = options;
  const index = readFileAt(files, indexPath(stream, hour), largestIndex);
  if (index === undefined || index.length > largestIndex) return head;
  const { hourUs, evidence, records } = decodeIndex(index);
  const slots = recordSlots(index.length);
  const last = records.at(-1);
  if (hourUs === null || !evidence || last === undefined) return head;
  const former = readStatement(files, stream, hour);
  const again = head.number > 0 && head.hour === hour && former !== undefined;
  if (head.hour > hour || (head.number > 0 && head.hour === hour && former === undefined)) return head;
  const about = { uuid: headerUuid(index), stream, hour };
  const statement: EvidenceStatement = {
    ...about,
    recovered,
    number: again ? head.number : head.number + 1,
    signedAt: now(),
    records: slots,
    hashed: records.filter(({ sha256 }) => sha256 !== null).length,
    reelBytes: last.offset + last.length,
    previous: again ? former.statement.previous : head.digest,
    link: chainOf(recordBytes(index, slots), about),
    key: key.id,
  };
  const kept = former !== undefined && sameContent(former.statement, statement);
  const bytes = kept ? former.bytes : signStatement(statement, key.key);
  if (!kept) await files.writeFileAtomic(signaturePath(stream, hour), bytes); // 1
  const next: Link = linkOf(kept ? former.statement : statement, bytes);
  if (next.number === head.number && next.digest.equals(head.digest)) return head;
  await writeHead(files, stream, next); // 2
  return next;
};

/** The head as the signatures say it, for a stream whose file of it is lost; number 0 where there is none. */
export const findHead = (files: VolumeFiles, stream: string, hoursBack: Iterable<number>): Link | undefined => {
  for (const hour of hoursBack) {
    const found = readStatement(files, stream, hour);
    if (found !== undefined) return linkOf(found.statement, found.bytes);
  }
  return undefined;
};
