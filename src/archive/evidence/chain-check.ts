/** The chain from reel to reel of one stream: each signature names the file of the one before by its SHA-256. */
import { type Finding, finding } from '../check/findings.ts';
import { type EvidenceStatement, noPrevious, sha256 } from './signature.ts';

export interface Link {
  readonly number: number;
  readonly hour: number;
  /** SHA-256 of the signature file. */
  readonly digest: Buffer;
}

export const linkOf = (statement: EvidenceStatement, bytes: Buffer): Link => ({
  number: statement.number,
  hour: statement.hour,
  digest: sha256(bytes),
});

/** What is wrong between `former` (undefined: nothing before is here) and the signature after it, which lies at `path`. */
export const judgeLink = (former: Link | undefined, next: EvidenceStatement, path: string): Finding[] => {
  if (former === undefined) {
    const begins = next.number === 1;
    return begins === next.previous.equals(noPrevious)
      ? []
      : [
          finding(
            'chain-broken',
            path,
            `number ${next.number} of the chain names ${begins ? 'a' : 'no'} reel before it`,
          ),
        ];
  }
  const between = next.number - former.number - 1;
  if (between < 0 || next.hour <= former.hour)
    return [finding('chain-broken', path, `number ${next.number} of the chain comes after number ${former.number}`)];
  if (between > 0)
    return [
      finding(
        'chain-hole',
        path,
        `${between} signed ${between === 1 ? 'reel' : 'reels'} before it ${between === 1 ? 'is' : 'are'} not here: number ${former.number + 1}${between === 1 ? '' : ` to ${next.number - 1}`} of the chain`,
      ),
    ];
  return next.previous.equals(former.digest)
    ? []
    : [finding('chain-broken', path, `it was signed after another number ${former.number} than the one that is here`)];
};
