import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds between SIGTERM and SIGKILL, and again until a child that survives SIGKILL (uninterruptible sleep) is given up. */
const graceMs = 2_000;

const signalGroup = (leader: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(-leader, signal);
  } catch {
    // ESRCH: the whole group is gone, which is what was asked for
  }
};

/**
 * Ends the process group led by `leader`: SIGTERM, then SIGKILL to whatever is left once the leader is gone or the grace is over.
 * A descendant that made a session of its own is not reached: that is how a child detaches on purpose.
 * Resolves with false when the leader is still there after SIGKILL, that is when it hangs inside the kernel.
 */
export const killTree = async (leader: number, exited: Promise<unknown>): Promise<boolean> => {
  const gone = exited.then(
    () => true,
    () => true,
  );
  const grace = (): Promise<boolean> => sleep(graceMs, false, { ref: false });
  signalGroup(leader, 'SIGTERM');
  await Promise.race([gone, grace()]);
  signalGroup(leader, 'SIGKILL');
  return Promise.race([gone, grace()]);
};
