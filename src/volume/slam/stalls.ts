import { setTimeout as sleep } from 'node:timers/promises';
import { deviceName, deviceWork } from '../kernel-facts.ts';

const pauseMs = 50;

/**
 * Whether requests to the block devices `devices` (`major:minor`) wait, and none is done for `patienceMs`. Answers at once where none waits,
 * and with the first that is done.
 */
export const stalls = async (devices: readonly string[], patienceMs: number): Promise<boolean> => {
  const work = (): { waiting: number; done: string } => {
    const each = devices.map((number) => deviceWork(deviceName(number) ?? ''));
    const waiting = each.reduce((sum, one) => sum + one.waiting, 0);
    return { waiting, done: each.map((one) => one.done).join(' ') };
  };
  const first = work();
  const deadline = performance.now() + patienceMs;
  for (let now = first; now.waiting > 0 && now.done === first.done; now = work()) {
    if (performance.now() >= deadline) return true;
    await sleep(pauseMs);
  }
  return false;
};
