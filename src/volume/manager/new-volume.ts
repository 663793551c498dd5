import { randomUUID } from 'node:crypto';
import { ReelError, toReelError } from '../../errors.ts';
import type { HelperClient } from '../../helper/client.ts';
import type { Requests } from '../../helper/protocol.ts';
import { containerBytes } from '../create/options.ts';
import type { EngineName } from '../states.ts';
import type { VolumeView } from './managed-volume.ts';
import type { VolumeRecord } from './registry.ts';

/** What may be said of a new volume; docs/volumes.md says what each means. */
export type CreateChoices = Pick<
  Requests['create'],
  | ('sparse' | 'filesystem' | 'label' | 'owner' | 'group' | 'mode')
  | ('cipher' | 'keyBits' | 'sectorSize' | 'performance' | 'discard')
>;

export interface CreateParams extends CreateChoices {
  readonly name: string;
  /** Of a file. Net: bytes of the decrypted device, rounded up to whole sectors. The container is larger by its header. */
  readonly size?: number;
  /** The container is this block device, all of it: then no size is said. */
  readonly device?: string;
  /** Types of the signatures on the device that may be lost. */
  readonly overwriteSignatures?: string[];
  /** Default: the kernel's where it works, else the userspace engine. Kept for the life of the volume. */
  readonly engine?: EngineName;
  readonly type?: 'luks1' | 'luks2';
  /** Without one, a random key file is made. The caller zeroes it. */
  readonly passphrase?: Buffer;
  readonly open?: boolean;
}

/** The request for the helper. */
export const createRequest = (params: CreateParams, engine: EngineName): Requests['create'] => {
  const { name, size, type = 'luks2', passphrase, open = false, engine: _, ...choices } = params;
  const key = passphrase === undefined ? 'keyFile' : 'passphrase';
  const bytes = size === undefined ? {} : { size: containerBytes(size, type) };
  const uuid = choices.device === undefined ? {} : { uuid: randomUUID() };
  return { verb: 'create', name, ...bytes, ...uuid, engine, type, key, open, ...choices };
};

/** What is remembered of a volume while it is made. */
export const recordOf = (request: Requests['create'], container: string, createdAt: string): VolumeRecord => {
  const { name, type, size = 0, engine, key, label, performance, discard, device, uuid: newUuid } = request;
  return {
    ...(device === undefined ? {} : { blockDevice: device }),
    ...(newUuid === undefined ? {} : { newUuid }),
    ...{ name, container: device ?? container, uuid: null, cipher: null, type, size, engine, key, createdAt },
    ...(label === undefined ? {} : { label }),
    ...(performance === undefined ? {} : { performance }),
    ...(discard === undefined ? {} : { discard }),
  };
};

/** On the block device lies no header, or another one, than a create that did not answer would have written: it wrote none. */
export const neverMade = ({ uuid, newUuid }: VolumeRecord, found: string | null): boolean =>
  uuid === null && newUuid !== undefined && found !== newUuid;

/** Where the container of a new volume will lie. Throws `already-exists` for files that are no volume of this service. */
export const freeContainer = async (helper: HelperClient, name: string): Promise<string> => {
  const found = await helper.call({ verb: 'inspect', name, descriptor: false }).catch((error: unknown) => {
    if (!['not-luks', 'luks-damaged'].includes(toReelError(error).code)) throw error;
  });
  const { state, container } = found?.result ?? {};
  if (container !== undefined && (state === 'absent' || state === 'unfinished')) return container;
  throw new ReelError('already-exists', {
    expected: `no container of ${name} yet`,
    got: 'a file that is no volume of this service',
    hint: 'move it away, or choose another name',
  });
};

/** The kernel's engine where it works, else the userspace engine. Throws `engine-unavailable` with both reasons. */
export const chooseEngine = async (helper: HelperClient): Promise<EngineName> => {
  const { kernel, userspace } = (await helper.call({ verb: 'probe' })).result.engines;
  if (kernel.usable) return 'kernel';
  if (userspace.usable) return 'userspace';
  throw new ReelError('engine-unavailable', {
    expected: 'the kernel or the userspace engine',
    got: `neither: ${kernel.reason}; ${userspace.reason}`,
  });
};

/** Throws `already-exists` where one of `volumes` lies on `device`. */
export const refuseTaken = (volumes: readonly VolumeView[], device: string | undefined): void => {
  const owner = volumes.find(({ blockDevice }) => blockDevice !== null && blockDevice === device);
  if (owner === undefined) return;
  throw new ReelError('already-exists', {
    expected: `no volume on ${device} yet`,
    got: `the volume ${owner.name}`,
    hint: `destroy it first: \`reelvault volume destroy ${owner.name}\``,
  });
};
