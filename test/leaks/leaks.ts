/** The segment writer under valgrind: memory that nothing points to any more, descriptors and threads that stay, and wrong uses of memory. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '../..');

export interface LeakReport {
  /** Each one opens, feeds, closes and breaks off sessions, with the threads that stand in for io_uring. */
  readonly cycles: number;
  /** Bytes that were taken and that no pointer leads to. */
  readonly lost: number;
  /** Uses of memory that is not there or was never set. */
  readonly errors: number;
  /** Whether the cycles themselves did what they should: no descriptor and no thread more, all acknowledged segments there. */
  readonly passed: boolean;
  readonly seconds: number;
  /** What valgrind and the cycles said; for people. */
  readonly text: string;
}

const lostKinds = ['definitely', 'indirectly', 'possibly'];
const numberIn = (text: string, pattern: RegExp): number =>
  Number((pattern.exec(text)?.[1] ?? '0').replaceAll(',', ''));

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** Its exit code says less than its output: a failed test is read from there. */
const valgrind = (preload: string, cycles: number): Promise<Output> =>
  new Promise((resolve, reject) => {
    const options = [
      ...['--leak-check=full', '--show-leak-kinds=definite,indirect,possible', '--errors-for-leak-kinds=none'],
      `--sim-hints=no-nptl-pthread-stackcache`,
    ];
    const program = [path.join(root, 'build/Release/native_tests'), '--no-colors', '--test-case=cycles with threads *'];
    const env = { ...process.env, REELVAULT_CYCLES: String(cycles), LD_PRELOAD: preload };
    execFile('valgrind', [...options, ...program], { maxBuffer: 1 << 26, env }, (error, stdout, stderr) =>
      stderr.includes('ERROR SUMMARY') ? resolve({ stdout, stderr }) : reject(error ?? new Error(stderr)),
    );
  });

export const findLeaks = async (cycles: number): Promise<LeakReport> => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'rv-leaks-'));
  try {
    const preload = path.join(directory, 'openat2.so');
    const source = path.join(root, 'fixtures/leaks/openat2.cc');
    await promisify(execFile)('g++', ['-std=c++20', '-O1', '-shared', '-fPIC', '-D_GNU_SOURCE', '-o', preload, source]);
    const from = performance.now();
    const { stdout, stderr } = await valgrind(preload, cycles);
    return {
      cycles,
      lost: lostKinds.reduce((sum, kind) => sum + numberIn(stderr, new RegExp(`${kind} lost: ([\\d,]+) bytes`)), 0),
      errors: numberIn(stderr, /ERROR SUMMARY: ([\d,]+) errors/),
      passed: /test cases:\s+1 \|\s+1 passed/.test(stdout),
      seconds: Math.round((performance.now() - from) / 100) / 10,
      text: `${stdout}\n${stderr}`,
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};
