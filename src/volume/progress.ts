/** How far a verb that is running on a volume has come. */
export interface Progress {
  readonly verb: string;
  /** The last numbered step of docs/volumes.md that is done; null before the first. */
  readonly step: string | null;
  readonly runningMs: number;
}

interface Steps {
  readonly afterStep?: (step: string) => void;
}

/** What is running, by volume: at most one verb each. Read without waiting for any of them. */
export class ProgressBoard {
  readonly #running = new Map<string, { verb: string; step: string | null; since: number }>();

  /** Runs `work` with a context whose steps are noted here. */
  async follow<C extends Steps, T>(
    context: C,
    { name, verb }: { readonly name: string; readonly verb: string },
    work: (context: C) => Promise<T>,
  ): Promise<T> {
    const entry = { verb, step: null as string | null, since: performance.now() };
    this.#running.set(name, entry);
    const afterStep = (step: string): void => {
      entry.step = step;
      context.afterStep?.(step);
    };
    try {
      return await work({ ...context, afterStep });
    } finally {
      this.#running.delete(name);
    }
  }

  of(name: string): Progress | null {
    const entry = this.#running.get(name);
    if (entry === undefined) return null;
    const { verb, step, since } = entry;
    return { verb, step, runningMs: Math.round(performance.now() - since) };
  }
}
