import { ReelError } from '../errors.ts';

const pattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * A name that people give to a volume or stream and that becomes a file name: letters, digits, `.`, `_`, `-`, at most 64, not
 * beginning with a dot or dash, and without `..`. Returns it. `what` is for the message: "a volume name".
 */
export const checkName = (what: string, name: string): string => {
  if (pattern.test(name) && !name.includes('..')) return name;
  throw new ReelError('invalid-argument', {
    expected: `${what} of 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or digit, without ".."`,
    got: JSON.stringify(name.slice(0, 100)),
  });
};
