import { Jail } from '../../datapath/jail.ts';
import { ReelError } from '../../errors.ts';
import type { VolumeReport } from '../../helper/protocol/volume.ts';
import { headerBytes } from '../create/options.ts';
import type { HeaderNote } from '../headers/prove-header.ts';
import type { Progress } from '../progress.ts';
import { type Failure, mayFollow, type VolumeState } from '../states.ts';
import type { VolumeFacts } from '../watch/facts.ts';
import type { Room } from '../watch/room-looks.ts';
import type { Condition } from './conditions.ts';
import type { VolumeRecord } from './registry.ts';

/** Net bytes before and after a grow, and while it runs those for which there is storage. */
export interface Growing {
  readonly from: number;
  readonly to: number;
  readonly allocated: number | null;
  /** Whether somebody is at it; otherwise it waits. */
  readonly running: boolean;
}

/** A volume as REST, CLI and console show it. */
export interface VolumeView extends Omit<VolumeRecord, 'filesystem' | 'blockDevice' | 'newUuid'> {
  readonly state: VolumeState;
  readonly mountPoint: string | null;
  /** That the container is; null for a file. */
  readonly blockDevice: string | null;
  /** With the decrypted data, while it is open. */
  readonly device: string | null;
  readonly directIo: boolean | null;
  /** Null while it is not open. */
  readonly readOnly: boolean | null;
  readonly blockPid: number | null;
  readonly keyFile: string | null;
  /** A grow that runs, or one that the next open finishes. */
  readonly growing: Growing | null;
  /** What is wrong with the LUKS header of a volume that may work all the same. */
  readonly header: HeaderNote | null;
  /** Bytes of the decrypted device: what the volume is advertised with. */
  readonly netSize: number;
  /** Of the mounted filesystem, in bytes: as the watch saw it at its last look. */
  readonly capacity: number | null;
  readonly available: number | null;
  readonly filesystem: string | null;
  readonly sparse: boolean | null;
  /** What the helper is doing to it, while that takes longer. */
  readonly progress: Progress | null;
  /** Why the volume is in `failed` or `absent`, or could not be opened without an admin, and what to do. */
  readonly failure: Failure | null;
  /** What is not as it should be although the volume is open. */
  readonly conditions: Condition[];
}

/** A volume after a lock that ended what was going on in it. */
export interface LockedVolume extends VolumeView {
  /** Streams whose recordings were ended. */
  readonly recordings: readonly string[];
}

/** One volume in the daemon: its record, its state, and the way into it while it is open. */
export class ManagedVolume {
  record: VolumeRecord;
  conditions: readonly Condition[] = [];
  /** What the helper saw at its last look; undefined before the first, and while it does not answer. */
  watched: VolumeFacts | undefined;
  /** Of the mounted filesystem, where the watch has asked for it since the helper's last report. */
  room: Room | undefined;
  /** Grows with everything that is done to the volume: who looked at it before compares. */
  changes = 0;
  /** Of a grow that runs now, in bytes of the container. */
  progress: Omit<Growing, 'running'> | null = null;
  /** What the helper does to it now, as far as it was asked. */
  running: Progress | null = null;
  #state: VolumeState = 'absent';
  #report: VolumeReport | undefined;
  #failure: Failure | undefined;
  #jail: Jail | undefined;
  readonly #onState: (view: VolumeView) => void;

  constructor(record: VolumeRecord, onState: (view: VolumeView) => void) {
    this.record = record;
    this.#onState = onState;
  }

  get state(): VolumeState {
    return this.#state;
  }

  /** What the helper found last. */
  get report(): VolumeReport | undefined {
    return this.#report;
  }

  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** Whether it is open, and nothing can be written into it. */
  get readOnly(): boolean {
    return this.view().readOnly === true;
  }

  /** The way into the volume. Throws `volume-state` unless it is open. */
  get jail(): Jail {
    if (this.#jail !== undefined) return this.#jail;
    throw new ReelError('volume-state', {
      expected: `the volume ${this.record.name} to be open`,
      got: this.#state,
      hint: this.#failure?.nextStep ?? 'open it first',
    });
  }

  /** Takes `fd` over, the descriptor of the root directory; one from before has been released by then. */
  become(state: VolumeState, what: { report?: VolumeReport; fd?: number; failure?: Failure } = {}): void {
    if (state !== this.#state && !mayFollow(this.#state, state)) {
      throw new ReelError('internal', { expected: `a state that may follow ${this.#state}`, got: state });
    }
    this.changes += 1;
    const changed = state !== this.#state || what.failure !== undefined;
    if (what.fd !== undefined && what.fd >= 0) {
      this.#jail = new Jail({ fd: what.fd, label: `volume ${this.record.name}` });
    }
    if (what.report !== undefined) this.room = undefined;
    this.#report = what.report ?? this.#report;
    this.#failure = what.failure;
    this.#state = state;
    if (changed) this.#onState(this.view());
  }

  /** What is wrong with the header now: it changes also while the volume stays as it is. */
  noteHeader(header: HeaderNote | null): void {
    if (this.#report !== undefined) this.#report = { ...this.#report, header };
  }

  /** Our own containers begin with the header that cryptsetup makes by itself. */
  get headerBytes(): number {
    return headerBytes[this.record.type];
  }

  #growing(): Growing | null {
    const waiting = this.#report?.growing ?? null;
    const growing = this.progress ?? (waiting === null ? null : { ...waiting, allocated: null });
    if (growing === null) return null;
    const { from, to, allocated } = growing;
    const held = allocated === null ? null : Math.max(0, allocated - this.headerBytes);
    return {
      ...{ from: from - this.headerBytes, to: to - this.headerBytes },
      ...{ allocated: held, running: this.progress !== null },
    };
  }

  /** Closes the way in: it pins the mount, so this comes before every lock. */
  async release(): Promise<void> {
    const jail = this.#jail;
    this.#jail = undefined;
    await jail?.close();
  }

  view(): VolumeView {
    const open = this.#state === 'open' || this.#state === 'draining' ? this.#report : undefined;
    const room = this.room ?? open;
    const { newUuid: _, ...record } = this.record;
    return {
      ...record,
      blockDevice: record.blockDevice ?? null,
      // What lies there counts: the record follows a moment later.
      size: this.#report?.size ?? this.record.size,
      growing: this.#growing(),
      state: this.#state,
      mountPoint: this.#report?.mountPoint ?? null,
      device: open?.device ?? null,
      directIo: open?.directIo ?? null,
      readOnly: open === undefined ? null : open.access === 'readOnly',
      blockPid: open?.blockPid ?? null,
      keyFile: this.#report?.keyFile ?? null,
      header: this.#report?.header ?? null,
      netSize: open?.netSize ?? Math.max(0, this.record.size - this.headerBytes),
      capacity: open === undefined ? null : (room?.capacity ?? null),
      available: open === undefined ? null : (room?.available ?? null),
      filesystem: open?.filesystem ?? this.record.filesystem ?? null,
      sparse: this.#report?.sparse ?? null,
      progress: this.running,
      failure: this.#failure ?? null,
      conditions: open === undefined ? [] : [...this.conditions],
    };
  }
}
