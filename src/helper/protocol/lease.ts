import { Type } from 'typebox';
import { container, minute, name, none, strict } from './parts.ts';

/** Also the name of a directory, hence as strict as the name of a volume. */
export const consumerPattern = '^[a-z0-9][a-z0-9_-]{0,62}$';
export const consumer = Type.String({ pattern: consumerPattern });
/** Root needs no lease, and a mount that shows files as root's would be a gift to whoever gets into it. */
export const accountId = Type.Integer({ minimum: 1, maximum: 0xfffffffe });

/** Bind mounts of an open volume for processes outside the service. */
export const leaseVerbs = {
  /** Idempotent: the same lease again is its answer. Makes the directory of a writable lease below `consumers/`. */
  'lease-add': {
    schema: Type.Object(
      {
        verb: Type.Literal('lease-add'),
        name,
        container,
        consumer,
        path: Type.String({ minLength: 1, maxLength: 4095 }),
        readOnly: Type.Boolean(),
        uid: accountId,
        gid: accountId,
      },
      strict,
    ),
    secrets: none,
    timeoutMs: 3 * minute,
  },
  /** What is mounted, from the kernel's own table. */
  'lease-list': {
    schema: Type.Object({ verb: Type.Literal('lease-list'), name }, strict),
    secrets: none,
    timeoutMs: minute,
  },
  /** Idempotent. Refused with the holders while somebody uses it. With `keepPoint` the empty mount point stays. */
  'lease-remove': {
    schema: Type.Object({ verb: Type.Literal('lease-remove'), name, consumer, keepPoint: Type.Boolean() }, strict),
    secrets: none,
    timeoutMs: 5 * minute,
  },
} as const;

/** One mounted lease, as the kernel has it. */
export interface LeaseMount {
  readonly consumer: string;
  /** Inside the volume; `.` is its root. */
  readonly path: string;
  readonly readOnly: boolean;
  /** The owner of the directory is shown as the consumer. */
  readonly idmapped: boolean;
  readonly mountPoint: string;
  /** `major:minor` */
  readonly device: string;
}

export interface LeaseResults {
  readonly 'lease-add': LeaseMount;
  readonly 'lease-list': { readonly leases: readonly LeaseMount[] };
  readonly 'lease-remove': { readonly removed: boolean };
}
