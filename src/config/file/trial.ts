/** A change that could cut the admin off, while nobody has confirmed it: it is made, and not saved. */
import { ReelError } from '../../errors.ts';
import type { Config } from '../sections.ts';
import type { Difference } from './differences.ts';

export interface Trial {
  readonly id: string;
  readonly by: string;
  /** Unix milliseconds. */
  readonly until: number;
  readonly changes: readonly Difference[];
  /** To be saved when it is confirmed. */
  readonly text: string;
  readonly how: 'change' | 'rollback';
  /** What holds again when it is not. */
  readonly before: Config;
}

export class Trials {
  #current: Trial | undefined;
  #timer: NodeJS.Timeout | undefined;

  get current(): Trial | undefined {
    return this.#current;
  }

  /** `onEnd` is called when its time is over. */
  begin(trial: Trial, ms: number, onEnd: () => void): void {
    this.#current = trial;
    this.#timer = setTimeout(onEnd, ms);
  }

  /** Whoever ends it saves it, or puts back what was before. */
  end(): Trial | undefined {
    clearTimeout(this.#timer);
    const ended = this.#current;
    this.#current = undefined;
    return ended;
  }
}

export const noTrial = (id: string): ReelError =>
  new ReelError('not-found', { expected: 'a change of the configuration on trial', got: `none with the id ${id}` });

export const onTrial = ({ id, until, by }: Trial, now: number): ReelError =>
  new ReelError('config-on-trial', {
    expected: 'no change of the configuration on trial',
    got: `one by ${by}, which is taken back in ${Math.max(Math.ceil((until - now) / 1000), 0)} s`,
    hint: 'confirm it (`reelvault config confirm`), take it back (`reelvault config cancel`), or wait',
    details: { id },
  });
