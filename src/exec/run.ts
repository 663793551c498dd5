import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { childEnvironment } from './environment.ts';
import { failed, notStarted, storageFailure, timedOut } from './failure.ts';
import { killTree } from './kill-tree.ts';

export interface RunOptions {
  /** Bytes for stdin, which is /dev/null otherwise. The only way in for a secret; the caller zeroes it after the call. */
  readonly input?: Buffer;
  /** The time limit; every call has one, because a command that waits on a dead disk waits for ever. */
  readonly timeoutMs: number;
  /** Added to the clean environment of `childEnvironment`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Exit codes that are answers and not failures, unless the program says that its storage is full or broken. */
  readonly okCodes?: readonly number[];
  /** Most bytes taken from each of stdout and stderr; more is a failure and ends the child. */
  readonly maxBuffer?: number;
}

export interface RunResult {
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Milliseconds given to a killed child's stderr to arrive. */
const lastWordsMs = 200;

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('utf8');

/**
 * Runs a command to its end, without a shell, in a process group of its own. After the time limit the whole group is ended.
 * Throws `command-missing`, `command-timeout`, `command-failed`, or `no-space` and `io-error` where the program says so; `details` hold `exitCode`, `signal` and the end of stderr.
 */
export const run = async (command: string, args: readonly string[], options: RunOptions): Promise<RunResult> => {
  const { input, timeoutMs, env, cwd, okCodes = [0], maxBuffer = 16 * 1024 * 1024 } = options;
  const child = execa(command, args, {
    ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
    ...(cwd === undefined ? {} : { cwd }),
    env: childEnvironment(env),
    extendEnv: false,
    encoding: 'buffer',
    stripFinalNewline: false,
    maxBuffer,
    reject: false,
    killDescendants: true,
  });
  const exited = once(child.nodeChildProcess, 'exit');
  exited.catch(() => {}); // a child that never started: `child` itself tells
  // execa's own time limit would wait for the end of the output, which a detached grandchild can keep open for ever.
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<'limit'>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, 'limit');
  });
  const result = await Promise.race([child, limit]).finally(() => clearTimeout(timer));
  if (result === 'limit') {
    const ended = child.pid === undefined || (await killTree(child.pid, exited));
    const last = await Promise.race([child, sleep(lastWordsMs, undefined)]);
    for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe?.destroy();
    throw timedOut({ command, signal: last?.signal, stderr: text(last?.stderr) }, timeoutMs, !ended);
  }
  if (result.exitCode === undefined && result.signal === undefined) {
    throw notStarted(command, cwd, (result.cause ?? new Error('not started')) as NodeJS.ErrnoException);
  }
  const ending = { command, exitCode: result.exitCode, signal: result.signal, stderr: text(result.stderr) };
  if (result.isMaxBuffer) throw failed({ ...ending, stderr: `more than ${maxBuffer} bytes of output` });
  if (result.exitCode === undefined || !okCodes.includes(result.exitCode)) throw failed(ending);
  if (result.exitCode !== 0 && storageFailure(ending.stderr) !== undefined) throw failed(ending);
  return { stdout: Buffer.from(result.stdout), stderr: ending.stderr, exitCode: result.exitCode };
};
