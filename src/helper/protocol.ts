/**
 * The verbs of the helper: what the daemon may ask and what comes back. docs/architecture.md has the frame around them.
 * Secrets are no part of the JSON: they travel as the bytes behind it.
 */
import { type Static, Type } from 'typebox';
import type { ReelError } from '../errors.ts';
import type { EngineName } from '../volume/states.ts';

/** Also the name of the mount point and of the container's file, hence so few characters and no leading dot or dash. */
export const volumeNamePattern = '^[a-z0-9][a-z0-9_-]{0,62}$';

/** A LUKS2 header takes 16 MiB of it; the rest must hold an ext4 with its journal. */
export const smallestVolume = 48 * 1024 * 1024;
/** ext4 with 4 KiB blocks ends at 16 TiB unless `64bit` is on; it is, so the limit is only there to catch nonsense. */
export const largestVolume = 1024 ** 5;
/** Device, loop and LUKS sectors are 4096 bytes: a container is a whole number of them. */
export const sizeUnit = 4096;

const strict = { additionalProperties: false };
const name = Type.String({ pattern: volumeNamePattern });
/** Absolute; where it is not the default `<first root>/containers/<name>.luks`. The helper resolves it beneath the datapath itself. */
const container = Type.Optional(Type.String({ pattern: '^/', maxLength: 4096 }));
const engine = Type.Union([Type.Literal('kernel'), Type.Literal('userspace')]);
/** `passphrase`: the bytes of the secret. `keyFile`: `<first root>/keys/<name>.key`, which never leaves the helper. */
const key = Type.Union([Type.Literal('passphrase'), Type.Literal('keyFile')]);

export const schemas = {
  /** Which engines work on this machine. */
  probe: Type.Object({ verb: Type.Literal('probe') }, strict),
  /** Makes container, filesystem and identity. With `open` it stays open and the answer carries the directory's descriptor. */
  create: Type.Object(
    {
      verb: Type.Literal('create'),
      name,
      size: Type.Integer({ minimum: smallestVolume, maximum: largestVolume, multipleOf: sizeUnit }),
      engine,
      type: Type.Union([Type.Literal('luks1'), Type.Literal('luks2')]),
      key,
      open: Type.Boolean(),
    },
    strict,
  ),
  /** Idempotent. The answer carries the descriptor of the mounted root. */
  open: Type.Object(
    { verb: Type.Literal('open'), name, container, engine, key, uuid: Type.Optional(Type.String({ maxLength: 40 })) },
    strict,
  ),
  /** What is there, from the kernel's own tables. With `descriptor`, one block is read and an open volume's directory comes along. */
  inspect: Type.Object({ verb: Type.Literal('inspect'), name, container, descriptor: Type.Boolean() }, strict),
  /** Idempotent: also cleans up after a block plane that died. */
  lock: Type.Object({ verb: Type.Literal('lock'), name, container }, strict),
  /** Who uses the mounted volume. */
  holders: Type.Object({ verb: Type.Literal('holders'), name }, strict),
} as const;

export type Verb = keyof typeof schemas;
export type Requests = { [V in Verb]: Static<(typeof schemas)[V]> };
export type Request = Requests[Verb];

export type EngineProbe = { readonly usable: true } | { readonly usable: false; readonly reason: string };

/** What the helper found of a volume. Everything is read from kernel and disk at the time of the call. */
export interface VolumeReport {
  readonly name: string;
  readonly container: string;
  readonly mountPoint: string;
  /**
   * `absent` no container · `unfinished` a create was interrupted · `locked` nothing attached · `open` mounted and proven ·
   * `stale` pieces are attached or mounted, but not a whole volume: `problem` says why; `open` and `lock` clean it up.
   */
  readonly state: 'absent' | 'unfinished' | 'locked' | 'open' | 'stale';
  readonly uuid: string | null;
  readonly type: 'luks1' | 'luks2' | null;
  /** Bytes of the container. */
  readonly size: number | null;
  /** Of what is attached now. */
  readonly engine: EngineName | null;
  readonly device: string | null;
  readonly directIo: boolean | null;
  /** Process of the userspace engine. */
  readonly blockPid: number | null;
  /** Why an open volume takes no writes. */
  readonly readOnly: string | null;
  /** Where the key file is, if there is one. */
  readonly keyFile: string | null;
  readonly problem: ReturnType<ReelError['toJSON']> | null;
}

/** `create` and `open` also say how the data is encrypted. */
export interface OpenedReport extends VolumeReport {
  readonly cipher: string;
  readonly keyBits: number | null;
  readonly sectorSize: number;
}

export interface ProbeReport {
  readonly engines: Readonly<Record<EngineName, EngineProbe>>;
  readonly datapath: readonly string[];
  readonly pid: number;
}

export interface LockReport extends VolumeReport {
  /** What the last flush said, where it failed: data written shortly before may be lost. */
  readonly flushError: string | null;
}

export interface Results {
  readonly probe: ProbeReport;
  readonly create: OpenedReport;
  readonly open: OpenedReport;
  readonly inspect: VolumeReport;
  readonly lock: LockReport;
  readonly holders: { readonly holders: readonly import('../volume/holders.ts').Holder[] };
}
