/** Runs a host command for the tests' machinery: no shell, output kept, failure told in full. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface HostOptions {
  readonly cwd?: string;
  readonly timeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** Gives stdout. Throws an Error whose message holds the command, its exit code and the end of its stderr. */
export const host = async (file: string, args: readonly string[], options: HostOptions = {}): Promise<string> => {
  try {
    const { stdout } = await run(file, [...args], {
      maxBuffer: 1 << 26,
      timeout: options.timeoutMs ?? 60_000,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    return stdout;
  } catch (error) {
    const { code, signal, stderr } = error as { code?: number | string; signal?: string; stderr?: string };
    const ending = signal ? `signal ${signal}` : `code ${code}`;
    throw new Error(`${file} ${args.join(' ')} ended with ${ending}: ${(stderr ?? '').slice(-2000)}`, { cause: error });
  }
};
