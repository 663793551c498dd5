import type { Jail } from '../../datapath/jail.ts';
import type { ReelError } from '../../errors.ts';
import type { VolumeView } from './managed-volume.ts';

/** An open volume, as those who record into it and play from it get it. */
export interface OpenVolume {
  readonly name: string;
  readonly uuid: string;
  /** Nothing can be written into it. */
  readonly readOnly: boolean;
  /** The volume's root; valid until `beforeLock` or `onLost` has returned. Stays the manager's, which closes it. */
  readonly jail: Jail;
}

/** Something that happened to a volume, for those who watch it: plain facts, never a secret. */
export interface VolumeEvent {
  /** Dotted: `volume.state`, `volume.key.added`. */
  readonly type: `volume.${string}`;
  readonly volume: string;
  readonly [fact: string]: unknown;
}

/** How a volume is to be let go of. */
export interface LockOptions {
  /** Finish what goes on, and give consumers of leases notice. */
  readonly drain: boolean;
  /** Milliseconds in which consumers of leases must have let go. */
  readonly deadlineMs?: number;
  /** The volume is taken by force right after: what cannot be let go of in time is not waited for. */
  readonly slam?: boolean;
}

/** What the parts above a volume want to know. Each call is awaited. */
export interface VolumeHooks {
  /** Also for a volume that was adopted at the start, or stays open because it could not be locked. */
  onOpen?(volume: OpenVolume): Promise<void>;
  /**
   * Lets go of everything in the volume. Without `drain` it throws `volume-busy` with the streams in `details.streams` when somebody
   * records; with it, the streams are finished first.
   */
  beforeLock?(name: string, options: LockOptions): Promise<void>;
  /** The volume failed while it was open: nothing in it can be read or written any more, and it must be let go of. */
  onLost?(name: string, error: ReelError): Promise<void>;
  /** Recording into the open volume must wait, for this reason; reading from it goes on. `undefined`: it may go on. */
  onPause?(name: string, reason: ReelError | undefined): Promise<void>;
  /** Streams that are being recorded into the volume now. */
  recordings?(name: string): readonly string[];
  onState?(view: VolumeView): void;
  onEvent?(event: VolumeEvent): void;
}
