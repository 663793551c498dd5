import { Type } from 'typebox';
import { labelPattern } from '../../config/schema-words.ts';
import type { ReelError } from '../../errors.ts';
import { ciphers } from '../../luks/types.ts';
import { performanceFlags } from '../../volume/engine/performance.ts';
import type { HeaderNote } from '../../volume/headers/prove-header.ts';
import type { Holder } from '../../volume/holders.ts';
import type { EngineName } from '../../volume/states.ts';
import { byKey, container, engine, key, minute, name, none, strict, uuid } from './parts.ts';

/** A LUKS2 header takes 16 MiB of it; the rest must hold an ext4 with its journal. */
export const smallestVolume = 48 * 1024 * 1024;
/** ext4 with 4 KiB blocks ends at 16 TiB unless `64bit` is on; it is, so the limit is only there to catch nonsense. */
export const largestVolume = 2 * 1024 ** 5;
/** Device, loop and LUKS sectors are 4096 bytes: a container is a whole number of them. */
export const sizeUnit = 4096;

/** As libblkid names what it finds: `ext4`, `crypto_LUKS`, `gpt`. */
export const signaturePattern = '^[A-Za-z0-9_.+-]{1,32}$';

/** Numbers of accounts and groups; the largest one means "nobody said". */
const account = Type.Integer({ minimum: 0, maximum: 2 ** 32 - 2 });

/** How a volume is attached, each time. Kernel engine only. */
export const attachOptions = {
  performance: Type.Optional(Type.Array(Type.Enum([...performanceFlags]), { maxItems: 5, uniqueItems: true })),
  /** Where the container lies on a block device or is sparse: freed blocks are given back. */
  discard: Type.Optional(Type.Boolean()),
} as const;

/** What may be said of a new volume beside what must be. */
export const createOptions = {
  ...attachOptions,
  /** Blocks of the container are allocated as they are written, and not at once. */
  sparse: Type.Optional(Type.Boolean()),
  filesystem: Type.Optional(Type.Enum(['ext4', 'xfs'])),
  /** Of filesystem and LUKS2 header. */
  label: Type.Optional(Type.String({ pattern: labelPattern })),
  /** Of the mounted root directory; default root, root, 0755. A mode may have setgid and sticky; setuid means nothing on a directory. */
  owner: Type.Optional(account),
  group: Type.Optional(account),
  mode: Type.Optional(Type.Integer({ minimum: 0, maximum: 0o3777 })),
  cipher: Type.Optional(Type.Enum([...ciphers])),
  keyBits: Type.Optional(Type.Union([Type.Literal(256), Type.Literal(512)])),
  sectorSize: Type.Optional(
    Type.Union([Type.Literal(512), Type.Literal(1024), Type.Literal(2048), Type.Literal(4096)]),
  ),
} as const;

/** Making, opening, locking and looking. */
export const volumeVerbs = {
  /** Makes container, filesystem and identity. With `open` it stays open and the answer carries the directory's descriptor. */
  create: {
    schema: Type.Object(
      {
        verb: Type.Literal('create'),
        name,
        /** Bytes of the container. Of a block device all of it is taken, and none is said. */
        size: Type.Optional(Type.Integer({ minimum: smallestVolume, maximum: largestVolume, multipleOf: sizeUnit })),
        /** Container in place of a file; of those in the setting `devices`. */
        device: Type.Optional(Type.String({ pattern: '^/dev/', maxLength: 4096 })),
        /** Types of the signatures on the device that may be lost: exactly those that are there. */
        overwriteSignatures: Type.Optional(
          Type.Array(Type.String({ pattern: signaturePattern }), { maxItems: 16, uniqueItems: true }),
        ),
        /** Of the new header, so that the caller knows it for its own whatever becomes of the answer. */
        uuid,
        engine,
        type: Type.Union([Type.Literal('luks1'), Type.Literal('luks2')]),
        key,
        open: Type.Boolean(),
        ...createOptions,
      },
      strict,
    ),
    secrets: byKey,
    timeoutMs: 150 * minute,
  },
  /** Idempotent. The answer carries the descriptor of the mounted root. */
  open: {
    schema: Type.Object(
      {
        ...{ verb: Type.Literal('open'), name, container, engine, key },
        uuid,
        /** Bytes the container is known to have; a shorter one is refused. */
        size: Type.Optional(Type.Integer({ minimum: 0 })),
        /** Nothing is written: not a block, not the journal, not the container. Refused where a journal must be replayed first. */
        readOnly: Type.Optional(Type.Boolean()),
        ...attachOptions,
      },
      strict,
    ),
    secrets: byKey,
    timeoutMs: 150 * minute,
  },
  /** What is there, from the kernel's own tables. With `descriptor`, one block is read and an open volume's directory comes along. */
  inspect: {
    schema: Type.Object({ verb: Type.Literal('inspect'), name, container, descriptor: Type.Boolean() }, strict),
    secrets: none,
    timeoutMs: 2 * minute,
  },
  /** Idempotent: also cleans up after a block plane that died. */
  lock: {
    schema: Type.Object({ verb: Type.Literal('lock'), name, container }, strict),
    secrets: none,
    timeoutMs: 15 * minute,
  },
  /**
   * Who uses the mounted volume. With `inTheWay` only who would keep it from being unmounted once its leases are taken away: users of the volume's
   * own mount, and mounts of it elsewhere.
   */
  holders: {
    schema: Type.Object({ verb: Type.Literal('holders'), name, inTheWay: Type.Optional(Type.Boolean()) }, strict),
    secrets: none,
    timeoutMs: minute,
  },
} as const;

/** What the helper found of a volume. Everything is read from kernel and disk at the time of the call. */
export interface VolumeReport {
  readonly name: string;
  readonly container: string;
  readonly mountPoint: string;
  /**
   * `absent` no container · `unfinished` a create was interrupted · `locked` nothing attached · `open` mounted and proven ·
   * `stale` pieces are attached or mounted, but not a whole volume: `problem` says why; `open` and `lock` clean it up ·
   * `destroying` a destroy was interrupted, and only a destroy goes on with it.
   */
  readonly state: 'absent' | 'unfinished' | 'locked' | 'open' | 'stale' | 'destroying';
  readonly uuid: string | null;
  readonly type: 'luks1' | 'luks2' | null;
  /** Bytes of the container. */
  readonly size: number | null;
  /** Bytes of the block device with the decrypted data, while there is one. */
  readonly netSize: number | null;
  /** Of the mounted filesystem, in bytes: what it can hold, and what is free. */
  readonly capacity: number | null;
  readonly available: number | null;
  readonly filesystem: string | null;
  /** Blocks of the container are missing on the disk: it can fill up below the volume. */
  readonly sparse: boolean | null;
  /** Of what is attached now. */
  readonly engine: EngineName | null;
  readonly device: string | null;
  readonly directIo: boolean | null;
  /** Process of the userspace engine. */
  readonly blockPid: number | null;
  /** How the device is attached. */
  readonly access: 'readWrite' | 'readOnly' | null;
  /** Why an open volume takes no writes although it should. */
  readonly readOnly: string | null;
  /** Bytes of the container before and after a grow that is not finished; null for none. */
  readonly growing: { readonly from: number; readonly to: number } | null;
  /** Where the key file is, if there is one. */
  readonly keyFile: string | null;
  readonly problem: ReturnType<ReelError['toJSON']> | null;
  /** What is wrong with the LUKS header; the volume may open all the same. */
  readonly header: HeaderNote | null;
}

/** `create` and `open` also say how the data is encrypted. */
export interface OpenedReport extends VolumeReport {
  readonly cipher: string;
  readonly keyBits: number | null;
  readonly sectorSize: number;
}

export interface LockReport extends VolumeReport {
  /** What the last flush said, where it failed: data written shortly before may be lost. */
  readonly flushError: string | null;
}

export interface VolumeResults {
  readonly create: OpenedReport;
  readonly open: OpenedReport;
  readonly inspect: VolumeReport;
  readonly lock: LockReport;
  /** `service`: the process that asked, which lets go when the volume is locked. */
  readonly holders: { readonly holders: readonly (Holder & { readonly service: boolean })[] };
}
