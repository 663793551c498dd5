import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Runs `work` again and again with a pause of `pauseMs` between two runs, never twice at a time. `work` does not throw.
 * The answer ends it: it resolves once a run that has begun is over. Does not keep the process alive.
 */
export const repeat = (pauseMs: number, work: () => Promise<void>): (() => Promise<void>) => {
  const end = new AbortController();
  const loop = async (): Promise<void> => {
    try {
      for (;;) {
        await sleep(pauseMs, undefined, { signal: end.signal, ref: false });
        await work();
      }
    } catch (error) {
      if (!end.signal.aborted) throw error;
    }
  };
  const done = loop();
  return () => {
    end.abort();
    return done;
  };
};
