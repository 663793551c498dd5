/** The container's file and the filesystem that it lies on. These can hang (a dead network disk), so each look has a limit. */
import { stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface HostFacts {
  /** Of the file at the container's path; null where there is none. */
  readonly file: { readonly size: number; readonly allocated: number } | null;
  /** Bytes that may still be written to the filesystem of the container, without those that only root may use. */
  readonly free: number;
}

const limitMs = 2000;
const block = 512;

const look = async (container: string): Promise<HostFacts> => {
  const found = await stat(container).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  const { bavail, bsize } = await statfs(path.dirname(container));
  const file = found === null ? null : { size: found.size, allocated: found.blocks * block };
  return { file, free: bavail * bsize };
};

export class HostLooks {
  readonly #running = new Map<string, Promise<HostFacts | undefined>>();

  /** Undefined where there is no answer in time. A look that hangs costs one thread, however often it is asked for. */
  async at(container: string): Promise<HostFacts | undefined> {
    let running = this.#running.get(container);
    if (running === undefined) {
      running = look(container).catch(() => undefined); // e.g. the directory is gone: nothing is known of the file
      this.#running.set(container, running);
      void running.then(() => this.#running.delete(container));
    }
    return Promise.race([running, sleep(limitMs, undefined, { ref: false })]);
  }
}
