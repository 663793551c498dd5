/** Since when something has had work to do and has done none of it. */

export interface Work {
  /** Something waits to be done. */
  readonly pending: boolean;
  /** Changes with everything that is done. */
  readonly done: string;
}

/**
 * Most milliseconds that count between two looks. Whoever looks may have been stopped meanwhile, and the machine with it (SIGSTOP, a virtual machine that is
 * paused): that time says nothing about what is looked at.
 */
const longestStep = 2500;

export class ProgressClock {
  readonly #looks = new Map<string, { readonly done: string; readonly at: number; readonly stuck: number }>();

  /** Milliseconds that `key` has been seen stuck for, 0 while it gets on or has nothing to do. `now` never goes back. */
  look(key: string, { pending, done }: Work, now: number): number {
    const last = this.#looks.get(key);
    if (!pending) {
      this.#looks.delete(key);
      return 0;
    }
    const stuck = last?.done === done ? last.stuck + Math.min(now - last.at, longestStep) : 0;
    this.#looks.set(key, { done, at: now, stuck });
    return stuck;
  }

  forget(key: string): void {
    this.#looks.delete(key);
  }
}
