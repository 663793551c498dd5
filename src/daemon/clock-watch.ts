/**
 * Notices what happens to time itself: a wall clock that is set, and a service that was stopped (SIGSTOP, a machine that is paused) and goes on.
 * Both are found by comparing the wall clock with one that is never set, whenever somebody asks for the time, and at least once a second.
 */

export interface ClockWatchParams {
  /** Unix milliseconds. */
  readonly wall: () => number;
  /** Milliseconds from any start, by a clock that is never set. */
  readonly elapsed: () => number;
  /** The wall clock was `from` and is `to`, for no time that passed. */
  readonly onJump: (from: number, to: number) => void;
  /** Nothing ran between these times, by the wall clock. */
  readonly onStopped: (from: number, to: number) => void;
}

/** A clock that is drawn nearer by NTP moves by far less. */
const leastJumpMs = 2000;
/** A loop that is merely busy comes back sooner. */
const leastStopMs = 4000;
const lookMs = 1000;

export class ClockWatch {
  readonly #params: ClockWatchParams;
  #wall: number;
  #elapsed: number;
  #timer: NodeJS.Timeout | undefined;
  #jumps = 0;
  #stops = 0;

  constructor(params: ClockWatchParams) {
    this.#params = params;
    this.#wall = params.wall();
    this.#elapsed = params.elapsed();
  }

  /** How often either has happened. */
  get counts(): { readonly jumps: number; readonly stops: number } {
    return { jumps: this.#jumps, stops: this.#stops };
  }

  /** From now on it looks by itself; before, nobody may have asked for long. */
  start(): void {
    this.now();
    this.#timer = setInterval(() => this.now(), lookMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** The wall clock; whoever asks first after something happened is told of it before the answer. */
  readonly now = (): number => {
    const { wall, elapsed, onJump, onStopped } = this.#params;
    const [at, ticks] = [wall(), elapsed()];
    const passed = ticks - this.#elapsed;
    const former = this.#wall;
    this.#wall = at;
    this.#elapsed = ticks;
    if (this.#timer !== undefined && passed >= leastStopMs) {
      this.#stops += 1;
      onStopped(former, former + passed);
    }
    if (Math.abs(at - former - passed) >= leastJumpMs) {
      this.#jumps += 1;
      onJump(former + passed, at);
    }
    return at;
  };
}
