/** Imported before anything that sets a timer: SIGUSR2 is the end of every time limit that is running, so that no test waits for minutes. */

/** What is shorter is a pause or a grace, and passes by itself. */
const shortestLimitMs = 10_000;
const limits = new Map<NodeJS.Timeout, () => void>();
const { setTimeout: arm, clearTimeout: disarm } = globalThis;

globalThis.setTimeout = ((work: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
  const timer = arm(work, ms, ...args);
  if ((ms ?? 0) >= shortestLimitMs) limits.set(timer, () => work(...args));
  return timer;
}) as typeof setTimeout;

globalThis.clearTimeout = ((timer?: NodeJS.Timeout) => {
  if (timer !== undefined) limits.delete(timer);
  disarm(timer);
}) as typeof clearTimeout;

process.on('SIGUSR2', () => {
  for (const [timer, work] of limits) {
    disarm(timer);
    work();
  }
  limits.clear();
});
