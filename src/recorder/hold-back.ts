/** For how long publishers are held back, by looks at them. */
export interface HoldBackParams {
  /** Milliseconds from any start, by a clock that is never set. */
  readonly elapsed: () => number;
  /** Held back for longer than this, without a break, is too long. */
  readonly mostMs: number;
}

/** A look that comes later than this was kept from coming: the time in between says nothing of the disk. */
const longestStepMs = 2500;

export class HoldBack {
  readonly #params: HoldBackParams;
  readonly #held = new Map<string, { readonly since: number; readonly at: number; readonly ms: number }>();

  constructor(params: HoldBackParams) {
    this.#params = params;
  }

  /** One look. `since`: tells one time of being held back from the next; a fast publisher is held back again and again, and gets on. */
  isTooLong(stream: string, since: number | undefined): boolean {
    const at = this.#params.elapsed();
    const last = this.#held.get(stream);
    this.#held.delete(stream);
    if (since === undefined) return false;
    const ms = last?.since === since ? last.ms + Math.min(at - last.at, longestStepMs) : 0;
    if (ms >= this.#params.mostMs) return true;
    this.#held.set(stream, { since, at, ms });
    return false;
  }
}
