/** Walks the reels of a volume and checks each. Reads only; blocks its thread but where it asks for limits. */
import type { KeyObject } from 'node:crypto';
import { judgeLink, type Link, linkOf } from '../evidence/chain-check.ts';
import { headNames, headPath, readHead } from '../evidence/head.ts';
import { readFileAt } from '../evidence/read-file.ts';
import { decodeStatement } from '../evidence/signature.ts';
import { markerPath, parseHour, parseReelPath } from '../reel.ts';
import { type VolumeFiles, whenMissing } from '../volume-files.ts';
import { type CheckLevel, type Finding, finding } from './findings.ts';
import type { Pace } from './pace.ts';
import { checkReel, pathsOf, type ReelLook } from './reel-check.ts';

export interface CheckProgress {
  readonly streams: number;
  readonly streamsDone: number;
  readonly reels: number;
  /** Where it is: the path of a reel. */
  readonly at: string | null;
}

export interface VolumeCheckParams {
  readonly files: VolumeFiles;
  readonly level: CheckLevel;
  /** One stream; without, all. */
  readonly stream: string | undefined;
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly pace: Pace;
  /** The start of the newest acknowledged segment of a stream that is being written; `undefined` for others. */
  readonly limitOf: (stream: string) => Promise<number | undefined>;
  readonly onFinding: (finding: Finding) => void;
  readonly onProgress: (progress: CheckProgress) => void;
}

/** A file may change between two looks at it, by a writer, a recovery or a deletion. What is wrong must be so in a quiet moment. */
const mostLooks = 3;

const known = /^(\d\d)\.(ts|idx|sig)$/;
const levels = [/^\d{4}$/, /^\d\d$/, /^\d\d$/];

class StreamCheck {
  readonly #params: VolumeCheckParams;
  readonly #stream: string;
  #former: Link | undefined;
  /** Reels with evidence and without a signature, behind the last signature that was seen. */
  #unsigned: Finding[] = [];

  constructor(params: VolumeCheckParams, stream: string) {
    this.#params = params;
    this.#stream = stream;
  }

  async run(onReel: (path: string) => void): Promise<void> {
    const head = readHead(this.#params.files, this.#stream);
    for await (const hour of this.#hours()) {
      onReel(pathsOf(this.#stream, hour).reel);
      const look = await this.#look(hour);
      // Whether those up to the newest signed one had a signature, the numbers of the chain say.
      const held = look.signature === undefined && (head === undefined || hour <= head.hour);
      for (const one of look.findings)
        if (held && one.code === 'signature-missing') this.#unsigned.push(one);
        else this.#params.onFinding(one);
      this.#follow(look, hour);
    }
    this.#end();
    this.#tellUnsigned(head?.number);
  }

  /** Up to this number the chain has signatures that were not seen: so many of the newest reels without one had one. */
  #tellUnsigned(upTo = 0): void {
    const gone = Math.max(0, upTo - (this.#former?.number ?? 0));
    const first = this.#unsigned.length - gone;
    for (const [place, one] of this.#unsigned.entries())
      this.#params.onFinding(
        place >= first ? finding('signature-gone', one.path, 'it was signed, and its signature is not here') : one,
      );
    this.#unsigned = [];
  }

  /** Hours with any file, in order; what does not belong is told. */
  async *#hours(): AsyncGenerator<number> {
    const { files, onFinding } = this.#params;
    const walk = async function* (branch: readonly string[], root: string): AsyncGenerator<number> {
      const directory = [root, ...branch].join('/');
      const entries = whenMissing(() => files.readdir(directory), []);
      const pattern = levels[branch.length];
      const hours = new Set<number>();
      for (const { name, type } of [...entries].sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const [, hourName = ''] = known.exec(name) ?? [];
        const [year = '', month = '', day = ''] = branch;
        if (pattern?.test(name) && type === 'directory') yield* walk([...branch, name], root);
        else if (pattern === undefined && type === 'file' && parseHour(year, month, day, hourName) !== undefined)
          hours.add(parseHour(year, month, day, hourName) as number);
        else if (/^\d\d\.idx\.damaged$/.test(name))
          onFinding(finding('index-set-aside', `${directory}/${name}`, 'an index without a reel was set aside'));
        else if (!/^\.(tmp-|\d\d\.idx\.new$)/.test(name))
          onFinding(finding('strange-file', `${directory}/${name}`, 'neither a reel, an index nor a signature'));
      }
      yield* hours;
    };
    yield* walk([], `dvr/${this.#stream}`);
  }

  async #look(hour: number): Promise<ReelLook> {
    const { files, limitOf } = this.#params;
    for (let turn = 1; ; turn += 1) {
      const limitUs = await limitOf(this.#stream);
      const before = this.#stamp(hour, limitUs);
      const unrecovered = limitUs === undefined && this.#marked(files) === hour;
      const look = checkReel({ ...this.#params, stream: this.#stream, hour, limitUs, unrecovered });
      if (look.findings.length === 0 || turn === mostLooks) return look;
      if (this.#stamp(hour, await limitOf(this.#stream)) === before) return look;
    }
  }

  /** The hour of the reel that is marked as being written. */
  #marked(files: VolumeFiles): number | undefined {
    const named = parseReelPath(readFileAt(files, markerPath(this.#stream), 4096)?.toString('utf8').trim() ?? '');
    return named?.stream === this.#stream ? named.hour : undefined;
  }

  #stamp(hour: number, limitUs: number | undefined): string {
    const { reel, index, signature } = pathsOf(this.#stream, hour);
    const facts = [reel, index, signature].map((path) => {
      const stat = this.#params.files.stat(path);
      return stat === null ? '-' : `${stat.ino}:${stat.size}:${stat.mtimeMs}`;
    });
    return [String(limitUs), ...facts].join(' ');
  }

  /** The chain from reel to reel. */
  #follow({ statement, signature }: ReelLook, hour: number): void {
    if (statement === undefined || signature === undefined) return;
    this.#tellUnsigned(statement.number - 1);
    const { files, onFinding } = this.#params;
    const path = pathsOf(this.#stream, hour).signature;
    let found = judgeLink(this.#former, statement, path);
    if (found.length > 0 && this.#former !== undefined) {
      // The one before may have been signed again since it was read: its stream went on in the same hour.
      const again = readFileAt(files, pathsOf(this.#stream, this.#former.hour).signature, 4096);
      const renewed = again === undefined ? undefined : decodeStatement(again);
      if (again !== undefined && renewed !== undefined) found = judgeLink(linkOf(renewed, again), statement, path);
    }
    for (const one of found) onFinding(one);
    this.#former = linkOf(statement, signature);
  }

  /** Whether the newest signed reel is the one that the head of the chain says. */
  #end(): void {
    const { files, level, onFinding } = this.#params;
    if (level === 'names') return;
    const head = readHead(files, this.#stream);
    if (head === undefined || head.number === 0) return;
    const last = this.#former;
    // Signatures that came after the walk was past are not looked at.
    if (
      last !== undefined &&
      last.number >= head.number &&
      !(last.number === head.number && !headNames(head, last.digest))
    )
      return;
    const newest = readFileAt(files, pathsOf(this.#stream, head.hour).signature, 4096);
    const statement = newest === undefined ? undefined : decodeStatement(newest);
    const path = headPath(this.#stream);
    if (newest === undefined || statement === undefined)
      onFinding(finding('chain-hole', path, `the newest signed reel, number ${head.number} of the chain, is not here`));
    else if (!headNames(head, linkOf(statement, newest).digest) && statement.number <= head.number)
      onFinding(
        finding('chain-broken', path, `the newest signature is not the one that was made last, number ${head.number}`),
      );
  }
}

/** Rejects with `Stopped` where the pace says so, and with what `files` throw. */
export const checkVolume = async (params: VolumeCheckParams): Promise<void> => {
  const { files, stream, onFinding, onProgress } = params;
  const entries = whenMissing(() => files.readdir('dvr'), []);
  for (const { name, type } of entries)
    if (type !== 'directory') onFinding(finding('strange-file', `dvr/${name}`, 'not a directory of a stream'));
  const all = entries.filter(({ type }) => type === 'directory').map(({ name }) => name);
  const streams = all.filter((name) => stream === undefined || name === stream).sort((a, b) => (a < b ? -1 : 1));
  let reels = 0;
  let streamsDone = 0;
  const tell = (at: string | null): void => onProgress({ streams: streams.length, streamsDone, reels, at });
  for (const name of streams) {
    await new StreamCheck(params, name).run((path) => {
      reels += 1;
      tell(path);
    });
    streamsDone += 1;
    tell(null);
  }
};
