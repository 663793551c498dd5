import { chmod, lstat, mkdir, realpath, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { Datapath } from '../datapath/datapath.ts';
import { refuseReplaceable } from '../datapath/replaceable.ts';
import { ReelError, throwStorageFailure } from '../errors.ts';
import { AllowedDevices } from './device/allowed.ts';
import { resolveDevice } from './device/block-device.ts';

/** Where the parts of one volume lie. `creating*` are the names until `create` has done everything else. */
export interface VolumePaths {
  readonly name: string;
  readonly container: string;
  readonly creating: string;
  /** `container` is a block device, which lies outside the datapath. */
  readonly isDevice: boolean;
  /** There while a volume is being made on a block device: on which. */
  readonly creatingDevice: string;
  readonly key: string;
  readonly creatingKey: string;
  /** A key file that is being put in the place of `key`, and the one that it replaces. */
  readonly nextKey: string;
  readonly formerKey: string;
  /** There while the volume has not reached the size it was told to grow to. */
  readonly growing: string;
  readonly mountPoint: string;
  /** There while a volume is being destroyed: what was done of it. */
  readonly destroying: string;
  /** There while a header is being restored: from which backup. */
  readonly restoring: string;
}

export interface LayoutParams {
  readonly datapath: readonly string[];
  readonly runtime: string;
  /** User beside root who may own directories above the datapath. */
  readonly datapathOwner?: number;
  /** The second place of header backups, beneath another root than the first; empty for `<last root>/.headers`. */
  readonly headerCopies?: string;
  /** Block devices that may be containers, as in the setting `devices`. */
  readonly devices?: readonly string[];
}

/** Lies beside the mount points of the volumes, so no volume can have this name. */
const reservedName = 'leases';

const outside = (file: string, got: string): ReelError =>
  new ReelError('path-outside', { expected: 'a path that stays beneath the datapath', got, details: { path: file } });

/**
 * The directories of docs/architecture.md, and the proof that only root can change what a path in them means: every directory from
 * a root of the datapath down to the file belongs to root and nobody else may write it, and none is a symbolic link. Commands that
 * run as root are given such paths only, so nobody can swap a component between the check and the use.
 */
export class Layout {
  readonly datapath: readonly string[];
  readonly containers: string;
  readonly keys: string;
  readonly headers: string;
  /** The second place of header backups; null where the datapath has one root only. */
  readonly headerCopies: string | null;
  readonly mounts: string;
  /** Mount points of leases: `<volume>/<consumer>/`. */
  readonly leases: string;
  readonly blocks: string;
  /** What running reencryptions say. */
  readonly reencryptions: string;
  readonly #datapath: Datapath;
  readonly #devices: AllowedDevices;

  private constructor(
    datapath: Datapath,
    { runtime, headerCopies = '', devices = [] }: Omit<LayoutParams, 'datapath' | 'datapathOwner'>,
  ) {
    const roots = datapath.roots.map((root) => root.path);
    const [first = '', last = first] = [roots[0], roots.at(-1)];
    this.#datapath = datapath;
    this.#devices = new AllowedDevices(devices);
    this.datapath = roots;
    this.containers = path.join(first, 'containers');
    this.keys = path.join(first, 'keys');
    this.headers = path.join(first, 'headers');
    this.headerCopies = this.#secondPlace(headerCopies);
    this.mounts = roots.length === 1 ? path.join(first, 'mount') : last;
    this.leases = path.join(last, reservedName);
    this.blocks = path.join(runtime, 'block');
    this.reencryptions = path.join(runtime, 'reencrypt');
  }

  /**
   * Makes the directories that are missing below the datapath, and proves the others, up to the root of the filesystem. Links in the given
   * names are resolved once, here: the kernel's tables name mounts and loop devices by real paths. Throws `config-invalid` when somebody else
   * than root could change one or put another in its place, and for a root of the datapath that does not exist.
   */
  static async open({ datapath, datapathOwner, runtime, ...more }: LayoutParams): Promise<Layout> {
    await mkdir(runtime, { recursive: true, mode: 0o755 });
    for (const directory of datapath) await refuseReplaceable(directory, datapathOwner);
    const layout = new Layout(await Datapath.open(datapath.join(':')), { runtime: await realpath(runtime), ...more });
    try {
      await layout.#prepare();
      await refuseReplaceable(layout.blocks);
      return layout;
    } catch (error) {
      await layout.close();
      throw error;
    }
  }

  /** Lets go of the roots of the datapath. */
  close(): Promise<void> {
    return this.#datapath.close();
  }

  /** Beside the container's own disk, not on it: what damages one shall not damage both. */
  #secondPlace(chosen: string): string | null {
    const [first = '', last = first] = [this.datapath[0], this.datapath.at(-1)];
    if (chosen === '') return last === first ? null : path.join(last, '.headers');
    if (this.#datapath.resolve(chosen).root.path !== first) return chosen;
    throw new ReelError('config-invalid', {
      expected: 'a second place for header backups beneath another root of the datapath than the first',
      got: chosen,
      details: { key: 'headerCopies' },
    });
  }

  async #prepare(): Promise<void> {
    for (const root of this.datapath) await this.#ownedByRoot(root);
    for (const [directory, mode] of [
      [this.containers, 0o711],
      [this.keys, 0o700],
      [this.headers, 0o700],
      ...(this.headerCopies === null ? [] : [[this.headerCopies, 0o700] as const]),
      [this.mounts, 0o755],
      [this.leases, 0o755],
      [this.blocks, 0o700],
      [this.reencryptions, 0o700],
    ] as const) {
      const made = await mkdir(directory, { recursive: true, mode });
      if (made !== undefined) await chmod(directory, mode); // the umask does not decide this
      await this.#ownedByRoot(directory);
    }
  }

  /**
   * `container` is what the caller says, or nothing for the default. Throws `path-outside`, `path-invalid`, `invalid-argument`,
   * `device-refused` for a device that is not of the setting.
   */
  paths(name: string, container?: string): VolumePaths {
    if (name === reservedName) {
      throw new ReelError('invalid-argument', {
        expected: `a volume name other than "${reservedName}"`,
        got: 'the name of the directory that leases are mounted in',
      });
    }
    const file = container ?? path.join(this.containers, `${name}.luks`);
    const isDevice = container !== undefined && this.#devices.allows(container);
    if (!isDevice) this.#resolve(file);
    return {
      name,
      isDevice,
      creatingDevice: path.join(this.containers, `.${name}.device.creating`),
      container: file,
      creating: path.join(this.containers, `.${name}.luks.creating`),
      key: path.join(this.keys, `${name}.key`),
      creatingKey: path.join(this.keys, `.${name}.key.creating`),
      nextKey: path.join(this.keys, `.${name}.key.next`),
      formerKey: path.join(this.keys, `.${name}.key.former`),
      growing: path.join(this.containers, `.${name}.luks.growing`),
      mountPoint: path.join(this.mounts, name),
      destroying: path.join(this.containers, `.${name}.destroying`),
      restoring: path.join(this.containers, `.${name}.restoring`),
    };
  }

  /** Where the leases of a volume are mounted. Idempotent. */
  async makeLeaseDirectory(volume: string): Promise<void> {
    const directory = this.leaseDirectory(volume);
    const made = await mkdir(directory, { recursive: true, mode: 0o755 });
    if (made !== undefined) await chmod(directory, 0o755); // the umask does not decide this
    await this.#ownedByRoot(directory);
  }

  /** Takes the directory of the mount points away when none is left in it. */
  async removeLeaseDirectory(volume: string): Promise<void> {
    await rmdir(this.leaseDirectory(volume)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && error.code !== 'ENOTEMPTY') throw error;
    });
  }

  leaseDirectory(volume: string): string {
    return path.join(this.leases, volume);
  }

  leasePoint(volume: string, consumer: string): string {
    return path.join(this.leaseDirectory(volume), consumer);
  }

  /** Throws `path-outside`; `device-refused` for what only the setting could allow. */
  #resolve(file: string): void {
    const inside = this.datapath.some((root) => file.startsWith(`${root}/`));
    if (inside || !file.startsWith('/dev/')) this.#datapath.resolve(file);
    else {
      const plain = path.normalize(file) === file;
      throw new ReelError('device-refused', {
        expected: 'a block device that the service was given',
        got: file,
        hint: plain
          ? `give it: add ${file} to REELVAULT_DEVICES of the service and start it again`
          : 'name it as it stands in REELVAULT_DEVICES of the service: no other way to it is taken',
        details: { device: file },
      });
    }
  }

  /** Checks each directory from the datapath's root down to `file`, or on the way to a block device. Throws `path-outside`, `not-found`, `config-invalid`. */
  async proveFile(file: string): Promise<void> {
    if (this.#devices.allows(file)) {
      await resolveDevice(file);
      return;
    }
    const root = this.#datapath.resolve(file).root.path;
    let current = root;
    for (const part of path.relative(root, path.dirname(file)).split('/').filter(Boolean)) {
      current = path.join(current, part);
      await this.#ownedByRoot(current);
    }
    const found = await lstat(file).catch((cause: unknown) => {
      throwStorageFailure(cause);
      throw new ReelError('not-found', { expected: `a container at ${file}`, got: 'no such file', cause });
    });
    if (found.isSymbolicLink()) throw outside(file, 'a symbolic link');
    if (!found.isFile())
      throw new ReelError('not-luks', { expected: `a regular file at ${file}`, got: 'something else' });
  }

  async #ownedByRoot(directory: string): Promise<void> {
    const found = await lstat(directory).catch((cause: unknown) => {
      throwStorageFailure(cause);
      throw new ReelError('not-found', { expected: `the directory ${directory}`, got: 'none', cause });
    });
    if (found.isSymbolicLink()) throw outside(directory, `a symbolic link at ${directory}`);
    if (found.isDirectory() && found.uid === 0 && (found.mode & 0o022) === 0) return;
    throw new ReelError('config-invalid', {
      expected: `${directory} to be a directory that only root can change`,
      got: `owner ${found.uid}, mode ${(found.mode & 0o7777).toString(8)}`,
      hint: `run \`chown root ${directory} && chmod go-w ${directory}\``,
    });
  }
}
