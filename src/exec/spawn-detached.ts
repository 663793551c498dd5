import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { execa } from 'execa';
import { childEnvironment } from './environment.ts';
import { failed, notStarted, timedOut } from './failure.ts';
import { killTree } from './kill-tree.ts';

export interface SpawnDetachedOptions {
  /** Milliseconds until the ready line must be there. */
  readonly timeoutMs: number;
  /**
   * The child's descriptors from 3 upwards: a number is one of our descriptors, handed on (it stays ours and open here);
   * bytes are written to a pipe that the child reads to its end (a key). The caller zeroes them after the call.
   */
  readonly extra?: readonly (Buffer | number)[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface Detached {
  /** The process that was started; a program that forks into the background has ended it by then or soon will. */
  readonly pid: number;
  /** The first line of stdout, without its end. */
  readonly line: string;
}

/** Most bytes kept of a child's stderr until it is ready. */
const stderrLimit = 64 * 1024;

const collect = (stream: Readable): (() => string) => {
  let bytes = Buffer.alloc(0);
  stream.on('data', (chunk: Uint8Array) => {
    if (bytes.length < stderrLimit) bytes = Buffer.concat([bytes, chunk]);
  });
  return () => bytes.toString('utf8');
};

/**
 * Starts a child that outlives this process, in a session of its own, and waits for the first line of its stdout.
 * Afterwards nothing of it is held: no pipe, no handle. It must not mind a closed stdout (SIGPIPE ignored or stdio re-opened).
 * Throws `command-missing`; `command-failed` when it ends without a line (`details.stderr` holds its reason);
 * `command-timeout` when neither comes in time (its process group is killed).
 */
export const spawnDetached = async (
  command: string,
  args: readonly string[],
  options: SpawnDetachedOptions,
): Promise<Detached> => {
  const { timeoutMs, extra = [], env, cwd } = options;
  const child = execa(command, args, {
    ...(cwd === undefined ? {} : { cwd }),
    // execa's types know inherited descriptors only as literals
    stdio: ['ignore', 'pipe', 'pipe', ...(extra as readonly Buffer[])],
    env: childEnvironment(env),
    extendEnv: false,
    buffer: false,
    reject: false,
    detached: true,
    cleanup: false,
  });
  const exited = once(child.nodeChildProcess, 'exit');
  exited.catch(() => {}); // a child that never started: the result tells
  const { stdout, stderr, pid } = child;
  if (pid === undefined || stdout === null || stderr === null) {
    const { cause } = await child;
    throw notStarted(command, cwd, (cause ?? new Error('not started')) as NodeJS.ErrnoException);
  }
  const errors = collect(stderr);
  const lines = createInterface({ input: stdout });
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<'limit'>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, 'limit');
  });
  try {
    const line = once(lines, 'line').then(([first]) => ({ line: String(first) }));
    line.catch(() => {});
    const ended = Promise.all([child, once(lines, 'close')]).then(([result]) => result);
    const outcome = await Promise.race([line, ended, limit]);
    if (outcome === 'limit') {
      const dead = await killTree(pid, exited);
      throw timedOut({ command, stderr: errors() }, timeoutMs, !dead);
    }
    if ('line' in outcome) return { pid, line: outcome.line };
    throw failed({ command, exitCode: outcome.exitCode, signal: outcome.signal, stderr: errors() });
  } finally {
    clearTimeout(timer);
    lines.close();
    stdout.destroy();
    stderr.destroy();
    child.nodeChildProcess.unref();
  }
};
