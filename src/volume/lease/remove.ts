import { ReelError } from '../../errors.ts';
import { run } from '../../exec/run.ts';
import type { Requests, Results } from '../../helper/protocol.ts';
import { reached, type VolumeContext } from '../context.ts';
import { unmountCopies } from '../copies.ts';
import { removeMountPoint } from '../directories.ts';
import { describeHolder, findHolders } from '../holders.ts';
import { readMounts } from '../mountinfo.ts';
import { type MountedLease, mountedLeases } from './mounted.ts';

const timeoutMs = 60_000;

/** Throws `volume-busy` with the holders of this very mount; then it stays. Never lazily. */
export const unmountLease = async (lease: MountedLease): Promise<void> => {
  const { device, mountPoint, consumer } = lease;
  const refuseHeld = async (cause?: unknown): Promise<void> => {
    const holders = await findHolders(device, { point: mountPoint });
    const [first] = holders;
    if (first === undefined) return;
    throw new ReelError('volume-busy', {
      expected: `nobody to use the lease of ${consumer}`,
      got: `${holders.length === 1 ? 'one use' : `${holders.length} uses`}, the first by ${describeHolder(first)}`,
      hint: 'stop the consumer, or let it close its files',
      cause,
      details: { consumer, holders },
    });
  };
  await refuseHeld();
  try {
    await run('umount', ['--no-canonicalize', mountPoint], { timeoutMs });
  } catch (thrown) {
    await refuseHeld(thrown);
    throw thrown;
  }
  await unmountCopies(device, mountPoint);
};

/** Idempotent. */
export const removeLease = async (
  context: VolumeContext,
  request: Pick<Requests['lease-remove'], 'name' | 'consumer' | 'keepPoint'>,
): Promise<Results['lease-remove']> => {
  const mounted = mountedLeases(context.layout, request.name, await readMounts());
  const mine = mounted.filter(({ consumer }) => consumer === request.consumer).toReversed();
  for (const lease of mine) await unmountLease(lease);
  reached(context, 'lease-unmounted');
  if (!request.keepPoint) await removeMountPoint(context.layout.leasePoint(request.name, request.consumer));
  return { removed: mine.length > 0 };
};

/** Takes every lease on these devices away, of a volume that is no longer whole. Throws `volume-busy` like `unmountLease`. */
export const unmountLeases = async (
  context: VolumeContext,
  volume: string,
  devices: ReadonlySet<string>,
): Promise<void> => {
  for (const lease of mountedLeases(context.layout, volume, await readMounts(), devices).toReversed()) {
    await unmountLease(lease);
  }
};
