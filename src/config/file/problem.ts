/** What is wrong in a configuration file, and where. Never holds a value that could be a secret. */
import { ReelError } from '../../errors.ts';

export interface Problem {
  /** Counted from 1; null where it is about the file as a whole. */
  readonly line: number | null;
  readonly column: number | null;
  /** Dotted; empty where it is about no key. */
  readonly key: string;
  readonly expected: string;
  readonly got: string;
}

export const keyOf = (path: readonly (string | number)[]): string => path.join('.');

/** `4:3 tuning.segment_ms: expected at least 500, got 3` */
export const problemText = ({ line, column, key, expected, got }: Problem): string => {
  const place = [line === null ? '' : `${line}:${column}`, key].filter((part) => part !== '').join(' ');
  return `${place === '' ? '' : `${place}: `}expected ${expected}, got ${got}`;
};

/** In the order in which they stand in the file. */
export const inOrder = (problems: readonly Problem[]): Problem[] =>
  problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));

/** All of them, in words in `details`. */
export const configInvalid = (file: string, problems: readonly Problem[]): ReelError => {
  const [first, ...others] = problems;
  const more = others.length === 0 ? '' : `, and ${others.length} more`;
  return new ReelError('config-invalid', {
    expected: `a configuration in ${file} that can be used`,
    got: first === undefined ? 'another one' : `at ${problemText(first)}${more}`,
    details: { file, problems },
  });
};
