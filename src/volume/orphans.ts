import { setTimeout as sleep } from 'node:timers/promises';
import { signalIfThere } from '../exec/signal.ts';
import { findOpeners } from './holders.ts';

const patienceMs = 10_000;

const openersOf = async (files: readonly string[]): Promise<number[]> => [
  ...new Set((await Promise.all(files.map(findOpeners))).flat()),
];

/**
 * A helper that was killed leaves its child running: an fsck or mkfs on a device of ours. Waits until nobody has these files open; then
 * ends whoever still has. Only for files that nobody but the helper's own children opens: detached devices and unfinished containers.
 * `spare` are processes that end by another way (block planes).
 */
export const awaitOrphans = async (files: readonly string[], spare: readonly number[] = []): Promise<void> => {
  const left = async (): Promise<number[]> => (await openersOf(files)).filter((pid) => !spare.includes(pid));
  const deadline = Date.now() + patienceMs;
  let pids = await left();
  while (pids.length > 0 && Date.now() < deadline) {
    await sleep(50);
    pids = await left();
  }
  for (const pid of pids) signalIfThere(pid, 'SIGKILL');
  while (pids.length > 0 && Date.now() < deadline + patienceMs) {
    await sleep(20);
    pids = await left();
  }
};
