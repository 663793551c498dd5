/**
 * What lies in the place of a reel's signature is judged before a host signs there: a new signature over a reel that somebody changed, or in
 * the place of one that somebody took away, would prove what nobody recorded.
 */
import type { KeyObject } from 'node:crypto';
import { ReelError } from '../../errors.ts';
import { lookAtSignature } from '../check/reel-content.ts';
import { indexPath, reelPath, signaturePath } from '../reel.ts';
import type { VolumeFiles } from '../volume-files.ts';
import { type ChainHead, headNames } from './head.ts';
import { readFileAt } from './read-file.ts';
import { decodeStatement, type EvidenceStatement, sha256 } from './signature.ts';

export interface Former {
  readonly bytes: Buffer;
  readonly statement: EvidenceStatement;
  /** SHA-256 of the file. */
  readonly digest: Buffer;
}

export const readFormer = (
  files: Pick<VolumeFiles, 'open'>,
  stream: string,
  hour: number,
): Former | 'none' | 'damaged' => {
  const bytes = readFileAt(files, signaturePath(stream, hour), 4096);
  if (bytes === undefined) return 'none';
  const statement = decodeStatement(bytes);
  return statement === undefined ? 'damaged' : { bytes, statement, digest: sha256(bytes) };
};

const damaged = (stream: string, hour: number, got: string): ReelError =>
  new ReelError('evidence-damaged', {
    expected: `the signed reel of ${signaturePath(stream, hour)} as it was signed`,
    got,
    hint: 'nothing is signed in its place, and later hours go on in the chain: look into the audit trail, then put the .ts, .idx and .sig of that hour back from a backup; without one leave them as they are, they are told by every check until they are deleted',
  });

/** Whether the file has the place in the chain that is next to be signed, or was signed last. */
const inPlace = (head: ChainHead, hour: number, { statement, digest }: Former): boolean =>
  head.number > 0 && head.hour === hour
    ? statement.number === head.number && headNames(head, digest)
    : statement.number === head.number + 1 && statement.previous.equals(head.digest);

/**
 * The signature that may be replaced; undefined where the reel has none yet. `evidence-damaged` where the head names one that is gone, where what
 * is there is not what this host signed, or where the reel's index is not the one it was made over any more.
 */
export const provenFormer = (params: {
  readonly files: Pick<VolumeFiles, 'open'>;
  readonly stream: string;
  readonly hour: number;
  readonly head: ChainHead;
  readonly index: { readonly bytes: Buffer; readonly uuid: string };
  readonly keys: () => ReadonlyMap<string, KeyObject>;
}): Former | undefined => {
  const { files, stream, hour, head, index, keys } = params;
  const former = readFormer(files, stream, hour);
  if (former === 'none') {
    if (head.number > 0 && head.hour === hour) throw damaged(stream, hour, `no signature, number ${head.number}`);
    return undefined;
  }
  if (former === 'damaged') throw damaged(stream, hour, 'no signature file of this layout');
  const paths = {
    reel: reelPath(stream, hour),
    index: indexPath(stream, hour),
    signature: signaturePath(stream, hour),
  };
  const place = { stream, hour };
  const [wrong] = lookAtSignature({ files: paths, bytes: former.bytes, index, keys: keys(), place }).findings;
  if (wrong !== undefined) throw damaged(stream, hour, wrong.what);
  if (!inPlace(head, hour, former)) throw damaged(stream, hour, 'another signature than the one that was made last');
  return former;
};
