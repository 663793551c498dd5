import { ReelError } from '../../errors.ts';
import type { EngineProbe } from '../../helper/protocol/machine.ts';
import type { EngineName } from '../states.ts';
import type { PerformanceFlag } from './performance.ts';

/** A container that was looked at: which file or block device it is, and what its header says it is. */
export interface ContainerFile {
  /** Of a block device its node. */
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  /** Bytes that lie on the disk: less than `size` where it has holes. */
  readonly allocated: number;
  /** `major:minor` of a block device; `gone` for one that is not there any more, of which whatever bears this UUID is. Null: a file. */
  readonly block: string | null;
  readonly uuid: string;
  readonly type: 'luks1' | 'luks2';
}

/** What the kernel has of a container now. */
export interface Attachment {
  readonly engine: EngineName;
  /** The block device with the decrypted data, or null where it is not (any longer) complete: `problem` says what is missing. */
  readonly device: string | null;
  /** `major:minor` of `device`. */
  readonly number: string | null;
  /** Every block device that belongs to it, whole or not, and the numbers of these. */
  readonly devices: readonly string[];
  readonly numbers: readonly string[];
  readonly directIo: boolean | null;
  /** Attached read-only; null where there is no whole device. */
  readonly readOnly: boolean | null;
  readonly blockPid: number | null;
  /** The process that its data goes through is gone: luksblock, or cryptsetup in an online reencryption. */
  readonly died: boolean;
  readonly problem: string | null;
}

/** How a container is to be attached. */
export interface AttachOptions {
  /** Of the LUKS data segment. */
  readonly sectorSize: number;
  /** Nothing below the filesystem takes a write: not the device, not the container. */
  readonly readOnly?: boolean;
  /** Userspace engine only: the path that the container gets later, when it is made; what serves it is shown with that in lists of processes. */
  readonly finalPath?: string;
  /** Kernel engine only. */
  readonly performance?: readonly PerformanceFlag[];
  /** Kernel engine only: discards reach the container, which then shows which blocks are free. */
  readonly discard?: boolean;
}

/** A way from a container to a block device. */
export interface Engine {
  readonly name: EngineName;
  /** Whether this machine can do it. Never throws: a reason is an answer. */
  probe(): Promise<EngineProbe>;
  /** What is attached of this container, whole or in pieces; undefined for nothing. Proves that it is this file and no other. */
  find(container: ContainerFile): Promise<Attachment | undefined>;
  /** All or nothing. The caller zeroes the key. */
  attach(container: ContainerFile, key: Buffer, options: AttachOptions): Promise<Attachment>;
  /**
   * Tells a whole attachment that its container became longer, layer by layer from below, without a key; `told` is called after each.
   * Idempotent. Throws where a layer cannot take the new size; then what is attached goes on as it was.
   */
  grow(container: ContainerFile, told: (layer: string) => void): Promise<void>;
  /** Takes away whatever `find` finds, also what a dead process or an interrupted call left. Idempotent. */
  detach(container: ContainerFile): Promise<void>;
  /**
   * Makes every request that waits for this container's device fail, and every later one: for a block plane that hangs. Names what was cut
   * or ended; nothing for an engine whose device lives in the kernel alone. `detach` is still to be called.
   */
  abort(container: ContainerFile): Promise<string[]>;
}

/** A copied container keeps its UUID, and what is attached under it belongs to the other file: hands off. */
export const sameUuid = (container: ContainerFile): ReelError =>
  new ReelError('volume-state', {
    expected: `what is attached as ${container.uuid} to belong to ${container.path}`,
    got: 'another container with the same UUID',
    hint: 'lock the other one, or give the copy a UUID of its own: cryptsetup luksUUID --uuid',
  });
