import path from 'node:path';
import { ReelError, toReelError } from '../errors.ts';
import type { VolumeContext } from './context.ts';
import { reached } from './context.ts';
import type { ContainerFile } from './engine/engine.ts';
import { flushFilesystem, unmountFilesystem } from './filesystem.ts';
import { unmountLeases } from './lease/remove.ts';
import { type Mount, mountAt, readMounts } from './mountinfo.ts';

/**
 * Takes everything of a container away that is attached or mounted: leases, flush, unmount, loop, block plane or mapping, in this order.
 * Serves `lock`, the cleaning before an open, and the undo of both. Idempotent. The answer is what the flush said, null for nothing.
 * Throws `volume-busy` with the holders; then what was not reached yet is as it was.
 */
export const tearDown = async (
  context: VolumeContext,
  container: ContainerFile,
  mountPoint: string,
): Promise<string | null> => {
  const numbers = new Set<string>();
  for (const engine of Object.values(context.engines)) {
    const attachment = await engine.find(container);
    // The piece that a killed reencryption was at: the flush would wait for it for ever.
    if (attachment?.engine === 'kernel' && attachment.died) await engine.abort(container);
    // An incomplete attachment still has the loop device that the filesystem is on.
    for (const number of attachment?.numbers ?? []) numbers.add(number);
  }
  await unmountLeases(context, path.basename(mountPoint), numbers);
  const flushError = await unmountOurs(context, mountPoint, numbers);
  await refuseMounted(numbers);
  for (const engine of Object.values(context.engines)) await engine.detach(container);
  reached(context, 'detached');
  return flushError;
};

/** To detach a loop that is in use succeeds at once and takes it away at its last close, under whoever uses it then. */
const refuseMounted = async (numbers: ReadonlySet<string>): Promise<void> => {
  const mount = (await readMounts()).find(({ device }) => numbers.has(device));
  if (mount === undefined) return;
  throw new ReelError('volume-busy', {
    expected: 'the device to be mounted nowhere else',
    got: `${mount.source} mounted at ${mount.point}`,
    hint: 'unmount it there first',
    details: { mountPoint: mount.point },
  });
};

const unmountOurs = async (
  context: VolumeContext,
  mountPoint: string,
  numbers: ReadonlySet<string>,
): Promise<string | null> => {
  let flushError: string | null = null;
  const top = async (): Promise<Mount | undefined> => {
    const mount = mountAt(await readMounts(), mountPoint);
    return mount !== undefined && numbers.has(mount.device) ? mount : undefined;
  };
  for (let mount = await top(); mount !== undefined; mount = await top()) {
    await flushFilesystem(mountPoint).catch((error: unknown) => {
      // Told to the caller and no reason to stop: with the device gone below it, no flush will ever succeed.
      flushError = toReelError(error).message;
    });
    reached(context, 'flushed');
    await unmountFilesystem(mountPoint, mount.device);
    reached(context, 'unmounted');
  }
  return flushError;
};
