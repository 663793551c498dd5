/**
 * The newest link of a stream's chain, in `.reelvault/evidence/<stream>`. It says from where on reels wait for their signature, and shows when
 * the newest signed reels were taken out. Beside the signatures it is never the truth: a lost one is found again from them.
 */
import type { VolumeFiles } from '../volume-files.ts';
import type { Link } from './chain-check.ts';
import { readFileAt } from './read-file.ts';

const directory = '.reelvault/evidence';

export interface ChainHead {
  /** 0 before the first signature. */
  readonly number: number;
  /** Of the newest signed reel; before the first, no reel up to this hour is to be signed. */
  readonly hour: number;
  /** SHA-256 of its signature file; zeros before the first. */
  readonly digest: Buffer;
}

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
  const [, number, hour, digest] = /^(\d{1,15}) (-?\d{1,9}) ([0-9a-f]{64})\n$/.exec(text ?? '') ?? [];
  if (number === undefined || hour === undefined || digest === undefined) return undefined;
  return { number: Number(number), hour: Number(hour), digest: Buffer.from(digest, 'hex') };
};

export const writeHead = async (files: VolumeFiles, stream: string, head: ChainHead | Link): Promise<void> => {
  files.mkdirp(directory);
  const text = `${head.number} ${head.hour} ${head.digest.toString('hex')}\n`;
  await files.writeFileAtomic(headPath(stream), Buffer.from(text));
};
