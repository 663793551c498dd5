/** How old the oldest byte is that came in and is not durable: what a power cut now would take. */

interface Mark {
  /** Bytes of the session up to here … */
  received: number;
  /** … had come at this time. */
  readonly at: number;
}

/** Marks closer to each other would say no more. */
const stepMs = 250;

export class DurableLag {
  readonly #elapsed: () => number;
  /** In order; the first is the oldest that is not durable as a whole. */
  #marks: Mark[] = [];
  #received = 0;
  #durable = 0;

  /** `elapsed`: milliseconds from any start, by a clock that is never set. */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
  }

  received(bytes: number): void {
    const at = this.#elapsed();
    const last = this.#marks.at(-1);
    this.#received += bytes;
    // What came since the last mark counts as if it had come with it: never younger than it is.
    if (last === undefined || at - last.at >= stepMs) this.#marks.push({ received: this.#received, at });
    else last.received = this.#received;
  }

  durable(bytes: number): void {
    this.#durable += bytes;
    const first = this.#marks.findIndex(({ received }) => received > this.#durable);
    this.#marks = first < 0 ? [] : this.#marks.slice(first);
  }

  /** Milliseconds; 0 where everything is durable. */
  get ms(): number {
    const [oldest] = this.#marks;
    return oldest === undefined ? 0 : this.#elapsed() - oldest.at;
  }
}
