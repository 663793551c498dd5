/** What outlives the service: whoever stops it to take the disk out has to know. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { VolumeView } from '../http/volumes.ts';
import { AdminClient } from './client.ts';

export interface LeftOpen {
  readonly name: string;
  readonly mountPoint: string;
}

/** A daemon that answers later than this is not waited for: it has to stop. */
const patienceMs = 2000;

/** The volumes that are open now; empty where the daemon does not say. */
export const openVolumes = async (runtime: string): Promise<LeftOpen[]> => {
  const asked = new AdminClient({ runtime }).get<{ volumes: VolumeView[] }>('/volumes');
  const answer = await Promise.race([asked, sleep(patienceMs, undefined, { ref: false })]).catch(() => undefined);
  return (answer?.volumes ?? []).flatMap(({ name, state, mountPoint }) =>
    state === 'open' && mountPoint !== null ? [{ name, mountPoint }] : [],
  );
};

export const leftOpenInWords = (volumes: readonly LeftOpen[]): string => {
  if (volumes.length === 0) return 'stopped';
  const lines = volumes.map(({ name, mountPoint }) => `  ${name} at ${mountPoint}`);
  const lock = volumes.map(({ name }) => `reelvault volume lock ${name}`).join(' && ');
  return `stopped; still open and mounted, in plain for whoever is root here:\n${lines.join('\n')}\nThe next start takes them over. To close them: reelvault serve, then ${lock}`;
};
