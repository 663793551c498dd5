import { existsSync } from 'node:fs';
import path from 'node:path';
import { ReelError, storageHints } from '../errors.ts';

/** How a child ended, as far as it may be told: never its input, never its stdout (a key can be in both). */
export interface Ending {
  readonly command: string;
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly stderr: string;
  readonly cause?: unknown;
}

/** Errors quote at most this many characters of a child's stderr, its end: the last lines name the reason. */
const quotedChars = 2_000;

const name = (command: string): string => path.basename(command);
const quoted = (stderr: string): string => stderr.trim().slice(-quotedChars);
/** mount's last line only says where else to look. */
const lastLine = (stderr: string): string =>
  stderr
    .trim()
    .split('\n')
    .findLast((line) => !line.includes('dmesg(1)')) ?? '';

const detailsOf = (ending: Ending): Record<string, unknown> => ({
  command: name(ending.command),
  exitCode: ending.exitCode ?? null,
  signal: ending.signal ?? null,
  stderr: quoted(ending.stderr),
});

/** The C library's words for errno (strerror, in the C locale that every child has), cryptsetup's for what it keeps no errno of, and the numbers of xfsprogs. */
const storageWords = [
  ['no-space', /No space left on device|Disk quota exceeded|\berr=28\b/],
  [
    'io-error',
    /Input\/output error|can't (?:read|write) superblock|\bI\/O error|\bIO error|\berr=5\b|Structure needs cleaning|Read-only file system/,
  ],
] as const;

/** What the storage below did to a program, by what the program said; undefined where it was something else. */
export const storageFailure = (said: string): 'no-space' | 'io-error' | undefined =>
  storageWords.find(([, words]) => words.test(said))?.[0];

export const failed = (ending: Ending): ReelError => {
  const how = ending.signal === undefined ? `exit code ${ending.exitCode ?? '?'}` : `signal ${ending.signal}`;
  const why = lastLine(ending.stderr);
  const code = storageFailure(ending.stderr);
  return new ReelError(code ?? 'command-failed', {
    expected: `success of ${name(ending.command)}`,
    got: why === '' ? how : `${how}: ${why}`,
    ...(code === undefined ? {} : { hint: storageHints[code] }),
    cause: ending.cause,
    details: detailsOf(ending),
  });
};

export const timedOut = (ending: Ending, timeoutMs: number, stuck: boolean): ReelError =>
  new ReelError('command-timeout', {
    expected: `${name(ending.command)} to finish within ${timeoutMs} ms`,
    got: stuck ? 'a process that does not end even after SIGKILL' : 'no end; it was killed',
    hint: stuck ? 'it hangs inside the kernel: look at the storage below it' : 'try again',
    cause: ending.cause,
    details: { ...detailsOf(ending), timeoutMs, stuck },
  });

/** The child never ran. ENOENT is said by spawn for a missing command and for a missing working directory alike. */
export const notStarted = (command: string, cwd: string | undefined, cause: NodeJS.ErrnoException): ReelError => {
  const missing = (cause.code === 'ENOENT' || cause.code === 'EACCES') && (cwd === undefined || existsSync(cwd));
  return missing
    ? new ReelError('command-missing', {
        expected: `the command ${name(command)}`,
        got: cause.code === 'ENOENT' ? 'no such program' : 'a file that cannot be executed',
        hint: 'install the Debian packages this service needs',
        cause,
        details: { command: name(command) },
      })
    : new ReelError('command-failed', {
        expected: `to start ${name(command)}${cwd === undefined ? '' : ` in ${cwd}`}`,
        got: cause.code ?? cause.message,
        cause,
        details: { command: name(command), exitCode: null, signal: null, stderr: '' },
      });
};
