/** Why a volume failed, on one line: the code of the error, what was expected and got (a moved file's place), and the next step. */
import type { WireError } from '../errors.ts';

export interface FailureView {
  readonly error: WireError;
  readonly nextStep: string;
}

/** The hint is left out: the next step is that hint, or a better one. */
export const failureText = ({ error: { code, expected, got }, nextStep }: FailureView): string =>
  `${code}: expected ${expected}, got ${got}; next: ${nextStep}`.replaceAll('\n', ' ');
