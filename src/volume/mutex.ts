/** Runs works of one key one after another, in the order they came. Works of different keys run side by side. */
export class KeyedMutex {
  readonly #tails = new Map<string, Promise<unknown>>();

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#tails.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#tails.get(key) === mine) this.#tails.delete(key);
    }
  }

  busy(key: string): boolean {
    return this.#tails.has(key);
  }

  /** Resolves when nothing that was asked for until now is left. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#tails.values());
  }
}
