import { type ErrorCode, ReelError, toReelError } from '../../errors.ts';

/** Exit codes of luksblock (docs/architecture.md) and what they are to us. */
const codes: Readonly<Record<number, ErrorCode>> = {
  2: 'internal',
  10: 'not-luks',
  11: 'wrong-key',
  12: 'luks-unsupported',
  13: 'luks-unsupported',
  14: 'luks-unsupported',
  15: 'luks-unsupported',
  16: 'luks-unsupported',
  17: 'luks-damaged',
  18: 'no-keyslot',
  19: 'volume-busy',
  20: 'io-error',
  21: 'engine-unavailable',
  22: 'out-of-memory',
};

interface Refusal {
  readonly error: string;
  readonly expected: string;
  readonly got: string;
}

const parse = (stderr: unknown): Refusal | undefined => {
  try {
    const last = String(stderr).trim().split('\n').at(-1) ?? '';
    const refusal = JSON.parse(last) as Partial<Refusal>;
    const { error, expected, got } = refusal;
    return typeof error === 'string' && typeof expected === 'string' && typeof got === 'string'
      ? { error, expected, got }
      : undefined;
  } catch {
    return undefined;
  }
};

/** What luksblock said when it refused to start, as an error of ours. Anything else that went wrong stays what it was. */
export const blockPlaneRefusal = (thrown: unknown, container: string): ReelError => {
  const error = toReelError(thrown);
  const { exitCode, stderr } = error.details;
  const code = typeof exitCode === 'number' ? codes[exitCode] : undefined;
  const refusal = parse(stderr);
  if (error.code !== 'command-failed' || code === undefined || refusal === undefined) return error;
  return new ReelError(code, {
    expected: refusal.expected,
    got: refusal.got,
    cause: thrown,
    details: { container, refusal: refusal.error },
  });
};
