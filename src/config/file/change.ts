/** What the configuration is asked, and what it tells. */
import type { ReelError } from '../../errors.ts';
import type { Settings } from '../settings.ts';
import type { Difference } from './differences.ts';
import type { MergePatch } from './edit.ts';
import type { Problem } from './problem.ts';
import type { Trial } from './trial.ts';

/** docs/events.md lists them as `config.…`. */
export type ConfigNews =
  | { readonly what: 'changed'; readonly by: string; readonly how: string; readonly changes: readonly Difference[] }
  | { readonly what: 'wrong'; readonly problems: readonly Problem[] }
  | { readonly what: 'right' }
  | { readonly what: 'trial'; readonly trial: Trial }
  | { readonly what: 'rolled-back'; readonly trial: Trial; readonly why: string; readonly failure: ReelError | null }
  | { readonly what: 'trouble'; readonly error: ReelError };

export interface ConfigStoreParams {
  readonly file: string;
  readonly history: string;
  readonly border: Settings;
  /** Settings that the environment gives. */
  readonly given: ReadonlySet<string>;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly trialMs?: number;
  /** A start after an unexpected end: where the file is wrong by now, the newest version that was right is taken. */
  readonly again?: boolean;
}

export interface ConfigChange {
  readonly text?: string;
  readonly patch?: MergePatch;
  readonly by: string;
  /** Tag of the text that the change was made from; `*`: any. */
  readonly ifMatch: string | undefined;
}

export interface Changed {
  readonly changes: readonly Difference[];
  /** It holds, and is taken back unless it is confirmed. */
  readonly trial: Trial | undefined;
}
