/** Bounds how fast a check reads, and ends it from another thread. Blocks its thread: it is for workers and for the command line. */

/** Thrown where a check was told to stop. */
export class Stopped extends Error {}

export class Pace {
  readonly #bytesPerSecond: number;
  readonly #stop: Int32Array;
  #freeAt = performance.now();
  #spent = 0;

  /** `stop`: four shared bytes; another thread makes them other than 0 and notifies. */
  constructor(params: { readonly bytesPerSecond: number; readonly stop: SharedArrayBuffer }) {
    this.#bytesPerSecond = params.bytesPerSecond;
    this.#stop = new Int32Array(params.stop);
  }

  /** What all calls of `spend` named. */
  get spent(): number {
    return this.#spent;
  }

  /** Waits until so many bytes more may be read. */
  spend(bytes: number): void {
    const now = performance.now();
    if (this.#freeAt > now) Atomics.wait(this.#stop, 0, 0, this.#freeAt - now);
    if (Atomics.load(this.#stop, 0) !== 0) throw new Stopped('told to stop');
    this.#spent += bytes;
    // What was not used while nothing was read is not saved up for a burst.
    this.#freeAt = Math.max(this.#freeAt, now) + (bytes / this.#bytesPerSecond) * 1000;
  }
}

/** For a check that nobody shares the disk with. */
export const unpaced = (): Pace =>
  new Pace({ bytesPerSecond: Number.POSITIVE_INFINITY, stop: new SharedArrayBuffer(4) });
