import { type ErrorCode, ReelError } from '../errors.ts';

const codes: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'not-found',
  EEXIST: 'already-exists',
  ENOTEMPTY: 'already-exists',
  EXDEV: 'path-outside', // `..`, an absolute path, a mount
  ELOOP: 'path-outside', // a symbolic link: wherever it leads, it is not followed
  ENAMETOOLONG: 'path-invalid',
  EINVAL: 'path-invalid',
  ENOTDIR: 'path-invalid',
  EISDIR: 'path-invalid',
  EBUSY: 'volume-busy',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
};

const errnoOf = (thrown: unknown): string => {
  const code = thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined;
  return code ?? String(thrown);
};

/** Runs `work`; a system error becomes ours: what was to be done, where, and the errno. What is none of it `io-error` stands for. */
export const explained = <T>(label: string, doing: string, path: string, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    throw explainedError(label, doing, path, error);
  }
};

export const explainedError = (label: string, doing: string, path: string, error: unknown): ReelError => {
  if (error instanceof ReelError) return error;
  const errno = errnoOf(error);
  return new ReelError(codes[errno] ?? 'io-error', {
    expected: `to ${doing} ${JSON.stringify(path)} in ${label}`,
    got: errno,
    cause: error,
    details: { errno },
  });
};
