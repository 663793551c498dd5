/** `reelvault archive verify`: needs neither the service nor root. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { publicKeysOf } from '../archive/evidence/public-keys.ts';
import { type Proof, type ProvedReel, verifyEvidence } from '../archive/evidence/verify.ts';
import { cannotRead } from '../archive/evidence/verify-files.ts';
import { hourOf } from '../archive/reel.ts';
import { ReelError } from '../errors.ts';
import type { GlobalOptions } from './global-options.ts';
import { print } from './output.ts';

interface Options extends GlobalOptions {
  readonly key: string[];
  readonly from?: string;
  readonly to?: string;
  readonly stream?: string;
}

const collect = (value: string, former: string[] | undefined): string[] => [...(former ?? []), value];

const readKey = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw cannotRead(`the key ${file}`, cause);
  }
};

/** The hour of an instant; `last`: of the last moment before it. */
const hourAt = (text: string | undefined, last: boolean): number | undefined => {
  if (text === undefined) return undefined;
  const ms = /^\d{4}-\d\d-\d\d(T\d\d(:\d\d(:\d\d)?)?Z)?$/.test(text)
    ? Date.parse(text.replace(/^(.{13})Z$/, '$1:00Z'))
    : Number.NaN;
  if (Number.isNaN(ms))
    throw new ReelError('invalid-argument', { expected: 'a time in UTC such as 2026-11-21T14:00Z', got: text });
  return hourOf(ms * 1000 - (last ? 1 : 0));
};

const reelLine = (reel: ProvedReel): string => {
  const { path, stream, hour, number, segments, proved, signedAt, recovered } = reel;
  if (number === null) return `${path}: no signature`;
  const how = recovered ? ', after a crash' : '';
  return `${path}: ${stream} ${hour}, number ${number}, ${proved} of ${segments} segments proved, signed ${signedAt}${how}`;
};

const verdict = ({ outcome, reels, problems }: Proof): string => {
  const sum = (of: 'segments' | 'proved'): number => reels.reduce((total, reel) => total + reel[of], 0);
  if (outcome === 'proved') return `proved: ${reels.length} reels`;
  const counts = `${sum('proved')} of ${sum('segments')} signed segments are proved`;
  return outcome === 'partly'
    ? `partly proved: ${counts}; the others were recorded without evidence`
    : `not proved: ${problems.length} problems; ${counts}`;
};

/** Not everything is proved, and nothing is wrong. */
const partlyExit = 9;

const told = (proof: Proof): string =>
  [
    ...proof.reels.map(reelLine),
    ...proof.problems.map(({ path, what, code, hint }) => `${path}: ${what} (${code})\n  ${hint}`),
    verdict(proof),
  ].join('\n');

export const archiveVerify = (parent: Command): void => {
  parent
    .command('verify <place>')
    .description('prove reels with only the public key: a .ts with its .idx and .sig beside it, or a directory')
    .requiredOption('--key <file>', 'public key (PEM) of the host that recorded; may be given several times', collect)
    .option('--from <time>', 'only hours from this time on (UTC)')
    .option('--to <time>', 'only hours before this time (UTC)')
    .option('--stream <name>', 'only reels of this stream')
    .addHelpText(
      'after',
      `
Works without the service and without root, on any copy of the files. Proved is: every segment that was recorded with evidence has the bytes,
the times and the place it was signed with, and no signed reel between two others is missing.
What is older than the first reel or newer than the last is not known from the files alone.

Exit codes: 0 proved; 9 partly: nothing is wrong, but something was recorded without evidence; 6 not proved; 3 a file may not be read.

Examples:
  reelvault archive verify 14.ts --key host.pem
  reelvault archive verify /mount/main/dvr/cam1 --from 2026-11-21T10:00Z --to 2026-11-21T16:00Z --key host.pem
  reelvault archive verify export/ --key host.pem --json`,
    )
    .action((place: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const keys = publicKeysOf(options.key.map(readKey));
      const fromHour = hourAt(options.from, false);
      const toHour = hourAt(options.to, true);
      const proof = verifyEvidence(place, {
        keys,
        ...(fromHour === undefined ? {} : { fromHour }),
        ...(toHour === undefined ? {} : { toHour }),
        ...(options.stream === undefined ? {} : { stream: options.stream }),
      });
      print(options, proof, told(proof));
      if (!proof.proved) process.exitCode = proof.outcome === 'partly' ? partlyExit : 6;
    });
};
