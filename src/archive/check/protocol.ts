/** What the checker and its worker tell each other. */
import type { WireError } from '../../errors.ts';
import type { CheckLevel, Finding } from './findings.ts';
import type { CheckProgress } from './volume-check.ts';

/** Given to the worker when it starts. */
export interface CheckOrder {
  /** Of the volume's root; the worker opens its own from it before it says `ready`. */
  readonly dirFd: number;
  readonly level: CheckLevel;
  readonly stream: string | undefined;
  readonly bytesPerSecond: number;
  readonly stop: SharedArrayBuffer;
  /** Public keys for evidence, PEM. */
  readonly publicKeys: readonly string[];
}

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'limit'; readonly stream: string }
  | { readonly type: 'finding'; readonly finding: Finding }
  | { readonly type: 'progress'; readonly progress: CheckProgress; readonly bytes: number }
  | { readonly type: 'end'; readonly state: 'done' | 'stopped' }
  | { readonly type: 'end'; readonly state: 'failed'; readonly error: WireError };

/** The answer to `limit`. */
export interface Limit {
  readonly limitUs: number | undefined;
}
