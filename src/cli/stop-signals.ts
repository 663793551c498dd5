/** What Ctrl-C, a second one and a third one mean for a program that ends in order. */

export interface StopSignals {
  /** Begin to end in order. */
  readonly first: () => void;
  /** Say what is being waited for, and what once more does. */
  readonly second: () => void;
  /** End at once. May be called again. */
  readonly third: () => void;
}

/** npm hands on a Ctrl-C that the terminal has sent to its child already: signals this close together are one. */
const sameMs = 200;

/** Counts SIGINT, SIGTERM and SIGHUP from now on; they no longer end the process by themselves. */
export const onStopSignals = ({ first, second, third }: StopSignals): void => {
  let count = 0;
  let last = Number.NEGATIVE_INFINITY;
  const handle = (): void => {
    const now = performance.now();
    const isEcho = now - last < sameMs;
    last = now;
    if (isEcho) return;
    count += 1;
    if (count === 1) first();
    else if (count === 2) second();
    else third();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, handle);
};
