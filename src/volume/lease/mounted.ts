import path from 'node:path';
import type { LeaseMount } from '../../helper/protocol/lease.ts';
import type { Layout } from '../layout.ts';
import type { Mount } from '../mountinfo.ts';

/** A bind mount below the directory of a volume's leases, with the kernel's words about it. */
export interface MountedLease extends LeaseMount {
  readonly mount: Mount;
}

/**
 * The leases of a volume as the kernel has them, bottom-most first. Only of the devices named, where any are: what somebody else mounted
 * there is none of them. A file is never asked.
 */
export const mountedLeases = (
  layout: Layout,
  volume: string,
  mounts: readonly Mount[],
  devices?: ReadonlySet<string>,
): MountedLease[] => {
  const above = path.join(layout.leases, volume);
  return mounts
    .filter((mount) => path.dirname(mount.point) === above && (devices?.has(mount.device) ?? true))
    .map((mount) => ({
      consumer: path.basename(mount.point),
      path: mount.root === '/' ? '.' : mount.root.slice(1),
      readOnly: mount.options.includes('ro'),
      idmapped: mount.options.includes('idmapped'),
      mountPoint: mount.point,
      device: mount.device,
      mount,
    }));
};

/** Without the kernel's line. */
export const leaseMount = ({ mount: _, ...lease }: MountedLease): LeaseMount => lease;
