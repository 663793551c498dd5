/**
 * The newest link of a stream's chain, in `.reelvault/evidence/<stream>`. It says from where on reels wait for their signature, and shows when
 * the newest signed reels were taken out. Beside the signatures it is never the truth: a lost one is found again from them.
 */
import type { VolumeFiles } from '../volume-files.ts';
import { readFileAt } from './read-file.ts';

const directory = '.reelvault/evidence';

export interface ChainHead {
  /** 0 before the first signature. */
  readonly number: number;
  /** Of the newest signed reel; before the first, no reel up to this hour is to be signed. */
  readonly hour: number;
  /** SHA-256 of its signature file; zeros before the first. */
  readonly digest: Buffer;
  /** SHA-256 of the file that is about to take the place of that one: after a crash either may lie there. */
  readonly next?: Buffer;
}

/** Whether the newest signature may be this file. */
export const headNames = ({ digest, next }: ChainHead, file: Buffer): boolean =>
  file.equals(digest) || next?.equals(file) === true;

export const headPath = (stream: string): string => `${directory}/${stream}`;

export const headStreams = (files: VolumeFiles): string[] =>
  files.stat(directory) === null
    ? []
    : files
        .readdir(directory)
        .map(({ name }) => name)
        .filter((name) => !name.startsWith('.tmp-'));

/** Undefined where there is none that can be read. */
export const readHead = (files: Pick<VolumeFiles, 'open'>, stream: string): ChainHead | undefined => {
  const text = readFileAt(files, headPath(stream), 4096)?.toString('utf8');
  const [, number, hour, digest, next] =
    /^(\d{1,15}) (-?\d{1,9}) ([0-9a-f]{64})(?: ([0-9a-f]{64}))?\n$/.exec(text ?? '') ?? [];
  if (number === undefined || hour === undefined || digest === undefined) return undefined;
  const head = { number: Number(number), hour: Number(hour), digest: Buffer.from(digest, 'hex') };
  return next === undefined ? head : { ...head, next: Buffer.from(next, 'hex') };
};

export const writeHead = async (files: VolumeFiles, stream: string, head: ChainHead): Promise<void> => {
  files.mkdirp(directory);
  const digests = [head.digest, ...(head.next === undefined ? [] : [head.next])].map((one) => one.toString('hex'));
  await files.writeFileAtomic(headPath(stream), Buffer.from(`${head.number} ${head.hour} ${digests.join(' ')}\n`));
};
