import path from 'node:path';

/** The block devices that an admin of the machine gave to the service: the setting `devices`. Nothing else outside the datapath is touched. */
export class AllowedDevices {
  readonly #entries: readonly string[];

  /** Each a path, or with a slash at its end a directory: then every name right in it. */
  constructor(entries: readonly string[]) {
    this.#entries = entries;
  }

  /** By the name that is given, and not by what it leads to: that changes when disks are plugged. */
  allows(device: string): boolean {
    if (path.normalize(device) !== device) return false;
    return this.#entries.some((entry) =>
      entry.endsWith('/') ? path.dirname(device) === entry.slice(0, -1) : device === entry,
    );
  }
}
