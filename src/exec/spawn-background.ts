import { open } from 'node:fs/promises';
import { execa } from 'execa';
import { childEnvironment } from './environment.ts';
import { notStarted } from './failure.ts';

export interface SpawnBackgroundOptions {
  /** Bytes for stdin, which is closed behind them. The caller zeroes them after the call. */
  readonly input: Buffer;
  /** A file that gets stdout and stderr, made anew with mode 0600: the only thing that is left to see of the child. */
  readonly output: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Starts a child that goes on when this process ends, in a session of its own, with its output in a file instead of a pipe that would
 * break. Resolves when it has taken its input; how it ends is nobody's to wait for. Throws `command-missing`, `command-failed`.
 */
export const spawnBackground = async (
  command: string,
  args: readonly string[],
  { input, output, env }: SpawnBackgroundOptions,
): Promise<{ readonly pid: number }> => {
  const file = await open(output, 'w', 0o600);
  try {
    // execa's types know inherited descriptors only as literals
    const sink = file.fd as 1;
    const child = execa(command, args, {
      stdio: ['pipe', sink, sink],
      env: childEnvironment(env),
      extendEnv: false,
      buffer: false,
      reject: false,
      detached: true,
      cleanup: false,
    });
    const { pid, stdin } = child;
    if (pid === undefined || stdin === null) {
      const { cause } = await child;
      throw notStarted(command, undefined, (cause ?? new Error('not started')) as NodeJS.ErrnoException);
    }
    const closed = new Promise((resolve) => stdin.once('close', resolve));
    // A child that ends before it has read all says why in its output.
    stdin.on('error', () => stdin.destroy());
    stdin.end(input);
    await closed;
    child.nodeChildProcess.unref();
    return { pid };
  } finally {
    await file.close();
  }
};
