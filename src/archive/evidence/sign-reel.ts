/** Signs one closed reel and moves the head of its stream's chain on to it. */
import type { KeyObject } from 'node:crypto';
import { decodeIndex } from '../../native.ts';
import { headerUuid, largestIndex, recordBytes, recordSlots } from '../index-slots.ts';
import { indexPath, signaturePath } from '../reel.ts';
import type { VolumeFiles } from '../volume-files.ts';
import { type Link, linkOf } from './chain-check.ts';
import { type Former, provenFormer, readFormer } from './former.ts';
import { type ChainHead, writeHead } from './head.ts';
import type { SigningKey } from './key-store.ts';
import { readFileAt } from './read-file.ts';
import { chainOf, type EvidenceStatement, signStatement } from './signature.ts';

export interface SignOptions {
  readonly files: VolumeFiles;
  readonly stream: string;
  readonly hour: number;
  readonly head: ChainHead;
  readonly key: SigningKey;
  /** All public keys of the host, by hexadecimal id. */
  readonly keys: () => ReadonlyMap<string, KeyObject>;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Signed from what is on disk, later than at its close. */
  readonly recovered: boolean;
}

type Content = Pick<EvidenceStatement, 'records' | 'reelBytes' | 'uuid' | 'link'>;

const sameContent = (one: Content, other: Content): boolean =>
  one.records === other.records &&
  one.reelBytes === other.reelBytes &&
  one.uuid === other.uuid &&
  one.link.equals(other.link);

const isSigned = (former: Former | 'none' | 'damaged', head: ChainHead, content: Content): boolean =>
  typeof former === 'object' && former.digest.equals(head.digest) && sameContent(former.statement, content);

/**
 * The head after it: `head` itself where the hour has no reel with evidence, or one that is signed as it is. 1 where a signature is to be
 * replaced, write into the head which one comes, 2 write the signature beside the reel, 3 write the head; each replaces the whole file and is
 * durable. A crash before 3 leaves a signature that the next call takes over. A reel that went on after it was signed keeps its place in the
 * chain: it is the newest one then. `evidence-damaged`: what was signed is not there any more as it was, so nothing is signed.
 */
export const signReel = async (options: SignOptions): Promise<ChainHead> => {
  const { files, stream, hour, head, key, keys, now, recovered } = options;
  const index = readFileAt(files, indexPath(stream, hour), largestIndex);
  if (index === undefined || index.length > largestIndex || head.hour > hour) return head;
  const { hourUs, evidence, records } = decodeIndex(index);
  const slots = recordSlots(index.length);
  const last = records.at(-1);
  if (hourUs === null || !evidence || last === undefined) return head;
  const again = head.number > 0 && head.hour === hour;
  const about = { uuid: headerUuid(index), stream, hour };
  const content = {
    records: slots,
    reelBytes: last.offset + last.length,
    link: chainOf(recordBytes(index, slots), about),
    uuid: about.uuid,
  };
  // Nothing is to be signed, so nothing can be covered up: a check judges it, also where another host signed.
  if (again && isSigned(readFormer(files, stream, hour), head, content)) return head;
  const former = provenFormer({ files, stream, hour, head, index: { bytes: index, uuid: about.uuid }, keys });
  if (former !== undefined && sameContent(former.statement, content)) {
    const taken = linkOf(former.statement, former.bytes);
    await writeHead(files, stream, taken); // 3
    return taken;
  }
  const statement: EvidenceStatement = {
    ...about,
    ...content,
    recovered,
    number: again ? head.number : head.number + 1,
    signedAt: now(),
    hashed: records.filter(({ sha256 }) => sha256 !== null).length,
    previous: former?.statement.previous ?? head.digest,
    key: key.id,
  };
  const bytes = signStatement(statement, key.key);
  const next = linkOf(statement, bytes);
  if (again && former !== undefined)
    await writeHead(files, stream, { ...head, digest: former.digest, next: next.digest }); // 1
  await files.writeFileAtomic(signaturePath(stream, hour), bytes); // 2
  await writeHead(files, stream, next); // 3
  return next;
};

/** The head as the signatures say it, for a stream whose file of it is lost; number 0 where there is none. */
export const findHead = (files: VolumeFiles, stream: string, hoursBack: Iterable<number>): Link | undefined => {
  for (const hour of hoursBack) {
    const found = readFormer(files, stream, hour);
    if (typeof found === 'object') return linkOf(found.statement, found.bytes);
  }
  return undefined;
};
