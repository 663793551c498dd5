/** Builds and runs the fuzz targets: one program each, of clang's libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer. */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '../..');
const builds = path.join(root, 'build/fuzz');
export const targets = ['segmenter', 'index', 'recovery', 'chunked'] as const;
export type Target = (typeof targets)[number];

/** Inputs that are kept: each reaches code that the others do not. */
export const keptInputs = (target: Target): string => path.join(root, 'fixtures/fuzz', target);

/** Longer inputs find the same more slowly. */
const longestInput = 6000;

export interface FuzzRun {
  readonly target: Target;
  readonly executions: number;
  readonly seconds: number;
  /** Edges of the control flow that were reached. */
  readonly covered: number;
  /** What the target or a sanitizer said of the input that ended the run; null where none did. `input` is its file. */
  readonly finding: { readonly input: string; readonly report: string } | null;
}

/** `seeds`: also the program that writes the inputs that fuzzing starts from. */
export const buildTargets = async (seeds = false): Promise<void> => {
  const script = path.join(import.meta.dirname, 'build.sh');
  await promisify(execFile)('sh', [script, builds, ...(seeds ? ['seeds'] : [])], { maxBuffer: 1 << 26 });
};

/** Writes those inputs into `directory/<target>/`. */
export const writeSeeds = async (directory: string): Promise<void> => {
  await Promise.all(targets.map((target) => mkdir(path.join(directory, target), { recursive: true })));
  await promisify(execFile)(path.join(builds, 'seeds'), [directory]);
};

interface Exit {
  readonly code: number | string | null;
  readonly stderr: string;
}

const start = (target: Target, args: readonly string[]): Promise<Exit> =>
  new Promise((resolve) => {
    const options = { maxBuffer: 1 << 28, env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=1' } };
    execFile(path.join(builds, target), args, options, (error, _stdout, stderr) =>
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? null), stderr }),
    );
  });

const lastNumber = (text: string, pattern: RegExp): number => Number([...text.matchAll(pattern)].at(-1)?.[1] ?? 0);

/**
 * Runs a target over all inputs of `directories`, then over what it makes of them, until `limit` is reached or an input breaks something. New
 * inputs that reach new code go to the first of the directories, the one that breaks something to `findings`.
 */
export const fuzz = async (params: {
  target: Target;
  directories: readonly string[];
  findings: string;
  limit: { readonly seconds: number } | { readonly executions: number; readonly seed: number };
}): Promise<FuzzRun> => {
  const { target, directories, findings, limit } = params;
  await Promise.all([...directories, findings].map((directory) => mkdir(directory, { recursive: true })));
  const until =
    'seconds' in limit ? [`-max_total_time=${limit.seconds}`] : [`-runs=${limit.executions}`, `-seed=${limit.seed}`];
  const prefix = `${path.join(findings, target)}-`;
  const from = performance.now();
  const { code, stderr } = await start(target, [
    ...[...until, `-max_len=${longestInput}`, '-timeout=20', '-print_final_stats=1', `-artifact_prefix=${prefix}`],
    ...directories,
  ]);
  const input = /Test unit written to (\S+)/.exec(stderr)?.[1];
  return {
    target,
    executions: lastNumber(stderr, /stat::number_of_executed_units: (\d+)/g),
    seconds: Math.round((performance.now() - from) / 100) / 10,
    covered: lastNumber(stderr, /cov: (\d+)/g),
    finding: code === 0 ? null : { input: input ?? '', report: stderr.slice(-8000) },
  };
};

/** Fills the empty directory `into` with as few of the inputs as reach all that they reach. */
export const distil = async (target: Target, into: string, directories: readonly string[]): Promise<void> => {
  const { code, stderr } = await start(target, [
    '-set_cover_merge=1',
    `-max_len=${longestInput}`,
    into,
    ...directories,
  ]);
  if (code !== 0) throw new Error(`Expected the inputs to be merged, got exit ${code}: ${stderr.slice(-2000)}`);
};
