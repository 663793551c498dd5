/** One line on a terminal's stderr that says how far a long call is, and goes with it. */
import type { VolumeView } from '../http/volumes.ts';
import type { AdminClient } from './client.ts';

const everyMs = 500;

export const showProgress = async <T>(client: AdminClient, url: string, work: () => Promise<T>): Promise<T> => {
  if (!process.stderr.isTTY) return work();
  let shown = false;
  let over = false;
  const timer = setInterval(async () => {
    // A volume that is not there yet has no progress, and a service that does not answer is told by the call itself.
    const volume = await client.get<VolumeView>(url).catch(() => undefined);
    const progress = volume?.progress ?? null;
    if (progress === null || over) return;
    const { verb, step, runningMs } = progress;
    process.stderr.write(`\r\x1b[K${verb}: ${step ?? 'begun'} (${Math.round(runningMs / 1000)} s)`);
    shown = true;
  }, everyMs);
  try {
    return await work();
  } finally {
    over = true;
    clearInterval(timer);
    if (shown) process.stderr.write('\r\x1b[K');
  }
};
