/** The container's file, or device, and the filesystem that it lies on. These can hang (a dead network disk), so each look has a limit. */
import { stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toReelError } from '../../errors.ts';
import { resolveDevice } from '../device/block-device.ts';
import { readLuksHeader } from '../luks-header.ts';

export interface HostFacts {
  /** Of the file at the container's path; null where there is none. */
  readonly file: { readonly size: number; readonly allocated: number } | null;
  /** Bytes that may still be written to the filesystem of the container, without those that only root may use. */
  readonly free: number;
  /** Where the container is a block device: its number, and the UUID in its header, null where that cannot be read or was not asked for. */
  readonly device: { readonly number: string; readonly uuid: string | null } | null;
}

const limitMs = 2000;
const block = 512;

/** The header is read again only while something keeps the device open: then it lies in memory, and a disk that sleeps is not woken. */
const lookAtDevice = async (container: string, inUse: boolean): Promise<HostFacts> => {
  const device = await resolveDevice(container).catch((error: unknown) => {
    if (toReelError(error).code === 'not-found') return null;
    throw error;
  });
  if (device === null) return { file: null, free: 0, device: null };
  const { number, size, node } = device;
  const header = inUse ? await readLuksHeader(node).catch(() => null) : null;
  return { file: { size, allocated: size }, free: 0, device: { number, uuid: header?.uuid ?? null } };
};

const look = async (container: string): Promise<HostFacts> => {
  const found = await stat(container).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  const { bavail, bsize } = await statfs(path.dirname(container));
  const file = found === null ? null : { size: found.size, allocated: found.blocks * block };
  return { file, free: bavail * bsize, device: null };
};

export class HostLooks {
  readonly #running = new Map<string, Promise<HostFacts | undefined>>();

  /** Undefined where there is no answer in time. A look that hangs costs one thread, however often it is asked for. */
  async at(container: string, device?: { readonly inUse: boolean }): Promise<HostFacts | undefined> {
    let running = this.#running.get(container);
    if (running === undefined) {
      const begun = device === undefined ? look(container) : lookAtDevice(container, device.inUse);
      running = begun.catch(() => undefined); // e.g. the directory is gone: nothing is known of the file
      this.#running.set(container, running);
      void running.then(() => this.#running.delete(container));
    }
    return Promise.race([running, sleep(limitMs, undefined, { ref: false })]);
  }
}
