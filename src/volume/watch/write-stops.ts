import { deviceName, filesystemErrors } from '../kernel-facts.ts';
import { type Mount, readOnlyReason } from '../mountinfo.ts';

const errorsOf = ({ device }: Mount): number => filesystemErrors(deviceName(device) ?? '')?.count ?? 0;

/**
 * Filesystems that take no writes any more. After an error, ext4 with `errors=remount-ro` shows it as `ro` before Linux 6.12 and as `emergency_ro`
 * from 6.15 on; kernels between, and stable ones with the same change (the 6.1 of Debian 12), show it in the count of its errors only.
 */
export class WriteStops {
  /** Errors that were counted when it was mounted, by the mount's id: a check that finds nothing wrong may leave them. */
  readonly #before = new Map<number, number>();

  /** To be told of each mount for writing; of one before this object's time, all errors are of now, and an open puts that right. */
  mounted(mount: Mount): void {
    this.#before.set(mount.id, errorsOf(mount));
  }

  /** Why nothing can be written there now. Reads what the kernel keeps in memory: a device that hangs does not hang it. */
  reason(mount: Mount): string | undefined {
    const shown = readOnlyReason(mount);
    if (shown !== undefined || !mount.superOptions.includes('errors=remount-ro')) return shown;
    const more = errorsOf(mount) > (this.#before.get(mount.id) ?? 0);
    return more ? 'the filesystem stopped writing after an error (errors_count)' : undefined;
  }
}
