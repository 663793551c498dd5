/** What the rules say of a request, with every step that led there. */
import type { Result } from '../backends/backend.ts';

/** Where a list of roles stands, in the order in which they are tried. */
export const levels = ['listen socket', 'stream', 'default stream', 'global'] as const;
export type Level = (typeof levels)[number];

export interface RoleName {
  readonly level: Level;
  /** From 1. */
  readonly place: number;
  readonly type: string;
  readonly name: string | null;
}

export interface Step extends RoleName {
  /** `filtered`: its filters do not match the request, so nobody was asked. */
  readonly result: Result | 'filtered';
  readonly why: string;
}

/**
 * `allowed`, or why not: `unauthorized` where other credentials might help, `forbidden` where they would not. `undecided`: no role matched,
 * and there is no global list, so the service's own rules count.
 */
export type Outcome = 'allowed' | 'unauthorized' | 'forbidden' | 'undecided';

/** `global 2 (static, listeners)` */
export const told = ({ level, place, type, name }: RoleName): string =>
  `${level} ${place} (${name === null ? type : `${type}, ${name}`})`;

const results: Readonly<Record<Step['result'], string>> = {
  filtered: 'passed over',
  nomatch: 'no match',
  match: 'match',
  fail: 'failed',
};

export const stepLine = (step: Step): string => `${told(step)}: ${results[step.result]}: ${step.why}`;
