/** What the verbs print: JSON as one line, or text for people. Errors go to stderr, with the exit code of the table. */
import { CommanderError } from 'commander';
import { type Problem, problemText } from '../config/file/problem.ts';
import { formatBytes } from '../config/size.ts';
import { toReelError } from '../errors.ts';

export interface OutputOptions {
  readonly json?: boolean;
}

export const print = (options: OutputOptions, value: unknown, text: string): void => {
  process.stdout.write(options.json === true ? `${JSON.stringify(value)}\n` : `${text}\n`);
};

/** Columns as wide as their widest cell. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};

/** Two sizes that differ, with as many digits as it takes to see that. */
export const formatApart = (from: number, to: number): [string, string] => {
  const most = 15;
  for (let digits = 1; digits <= most; digits += 1) {
    const texts: [string, string] = [formatBytes(from, digits), formatBytes(to, digits)];
    if (texts[0] !== texts[1]) return texts;
  }
  return [`${from} bytes`, `${to} bytes`];
};

/** Prints the error and returns the exit code. Commander has printed its own errors already. */
export const report = (thrown: unknown, json: boolean): number => {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
  const error = toReelError(thrown);
  if (json) process.stderr.write(`${JSON.stringify({ error: error.toJSON() })}\n`);
  else
    process.stderr.write(
      `reelvault: ${error.row.text} (${error.code})\n${error.message}\n${holders(error.details)}${problems(error.details)}`,
    );
  return error.row.exit;
};

/** What the service says of somebody who uses a volume. */
export interface HolderLine {
  readonly pid: number | null;
  readonly command: string;
  readonly unit?: string | null;
  readonly user?: string | null;
  readonly how: string;
  readonly path: string;
}

export const holderTable = (holders: readonly HolderLine[]): string =>
  table(
    ['PID', 'USER', 'UNIT', 'HOW', 'PATH', 'COMMAND'],
    holders.map(({ pid, user, unit, how, path, command }) => [
      pid === null ? '-' : String(pid),
      user ?? '-',
      unit ?? '-',
      how,
      path,
      command.slice(0, 80),
    ]),
  );

/** Who holds a volume is what an admin needs next, so it is told here too and not only in JSON. */
const holders = (details: Readonly<Record<string, unknown>>): string =>
  Array.isArray(details.holders) && details.holders.length > 0
    ? `${holderTable(details.holders as HolderLine[])}\n`
    : '';

/** Of a configuration all that is wrong, not only the first. */
const problems = (details: Readonly<Record<string, unknown>>): string =>
  Array.isArray(details.problems) && details.problems.length > 1
    ? `${(details.problems as Problem[]).map(problemText).join('\n')}\n`
    : '';
