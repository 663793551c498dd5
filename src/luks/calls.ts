import type { RunResult } from '../exec/run.ts';

/** What a call is about: its failure is explained from the state of this. */
export interface Subject {
  /** The container. */
  readonly file: string;
  /** It has no header yet: that there is none explains nothing. */
  readonly fresh?: boolean;
  /** The keyslot that was named, where one was. */
  readonly slot?: number | undefined;
}

/** The ways to call cryptsetup. Each failure is a `ReelError` that names the reason. */
export interface Cryptsetup {
  /** A call without a secret. `okCodes` are answers. */
  call(args: readonly string[], subject: Subject, okCodes?: readonly number[]): Promise<RunResult>;
  /** A call with `key` (framed by the arguments) on stdin, one at a time. The caller zeroes `key`. */
  withKey(args: readonly string[], key: Buffer, subject: Subject): Promise<RunResult>;
  /** A call with harmless bytes on stdin (a token). */
  withInput(args: readonly string[], input: Buffer, subject: Subject): Promise<RunResult>;
}
