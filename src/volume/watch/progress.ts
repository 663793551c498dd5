/** Since when something has had work to do and has done none of it. */

export interface Work {
  /** Something waits to be done. */
  readonly pending: boolean;
  /** Changes with everything that is done. */
  readonly done: string;
}

export class ProgressClock {
  readonly #since = new Map<string, { done: string; at: number }>();

  /** Milliseconds that `key` has been stuck for, 0 while it gets on or has nothing to do. `now` never goes back. */
  look(key: string, { pending, done }: Work, now: number): number {
    const last = this.#since.get(key);
    if (pending && last?.done === done) return now - last.at;
    if (pending) this.#since.set(key, { done, at: now });
    else this.#since.delete(key);
    return 0;
  }

  forget(key: string): void {
    this.#since.delete(key);
  }
}
