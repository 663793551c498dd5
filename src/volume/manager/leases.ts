import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { ReelError, toReelError } from '../../errors.ts';
import type { HelperClient } from '../../helper/client.ts';
import type { LeaseMount } from '../../helper/protocol/lease.ts';
import { checkLeasePath, ownDirectory } from '../lease/rules.ts';
import type { LockOptions, VolumeHooks } from './hooks.ts';
import type { LeaseRecord } from './lease-record.ts';
import type { VolumeManager } from './manager.ts';

export interface LeaseParams {
  readonly consumer: string;
  /** Default for a writable one: a directory of its own, `consumers/<consumer>`; for a read-only one: `dvr`. */
  readonly path?: string;
  readonly readOnly: boolean;
  readonly uid: number;
  readonly gid: number;
  readonly persistent: boolean;
}

/** A lease as REST and CLI show it: what is wanted, and what the kernel has. */
export interface LeaseView {
  readonly consumer: string;
  readonly path: string;
  readonly readOnly: boolean;
  /** Null for one that this service has no record of. */
  readonly uid: number | null;
  readonly gid: number | null;
  readonly persistent: boolean;
  readonly createdAt: string | null;
  /** `waiting`: its volume is not open; the mount point is empty and immutable. `missing`: it should be mounted and is not. */
  readonly state: 'mounted' | 'waiting' | 'missing';
  readonly mountPoint: string | null;
}

export interface VolumeLeasesParams {
  readonly manager: VolumeManager;
  readonly helper: HelperClient;
  readonly log: Logger;
  readonly now: () => number;
}

/** How often a consumer is looked at that was asked to let go. */
const pauseMs = 100;
const defaultGraceMs = 10_000;

/** The leases of the volumes: mounts of a volume for processes outside the service. */
export class VolumeLeases {
  readonly #params: VolumeLeasesParams;
  /** Leases that end with a lock, taken away for one that has not succeeded yet: if it fails they come back. */
  readonly #drained = new Map<string, ReadonlySet<string>>();

  constructor(params: VolumeLeasesParams) {
    this.#params = params;
  }

  /** For the manager, before those of the recorder: a lock that a lease forbids must not end recordings. */
  hooks(): VolumeHooks {
    return {
      onOpen: ({ name }) => this.#mountAll(name),
      beforeLock: (name, options) => this.#beforeLock(name, options),
      onState: ({ name, state }) => {
        if (state === 'locked') this.#drained.delete(name);
      },
    };
  }

  /** Throws `not-found` for an unknown volume. */
  async list(volume: string): Promise<LeaseView[]> {
    const { state } = this.#params.manager.get(volume);
    const mounted = await this.#mounted(volume);
    const recorded = this.#wanted(volume, mounted).map((record): LeaseView => {
      const mount = mounted.find(({ consumer }) => consumer === record.consumer);
      const open = state === 'open' || state === 'draining';
      return {
        ...record,
        state: mount !== undefined ? 'mounted' : open ? 'missing' : 'waiting',
        mountPoint: mount?.mountPoint ?? null,
      };
    });
    const strays = mounted.filter(({ consumer }) => !recorded.some((lease) => lease.consumer === consumer));
    return [...recorded, ...strays.map(stray)];
  }

  /** Idempotent: the same lease again is its answer. Throws `already-exists` for another one of this consumer, `volume-state`. */
  add(volume: string, params: LeaseParams): Promise<LeaseView> {
    const { consumer, readOnly } = params;
    const path = params.path ?? (readOnly ? 'dvr' : ownDirectory(consumer));
    checkLeasePath(path, readOnly);
    return this.#params.manager.exclusive(volume, async (turn) => {
      const before = turn.volume.record;
      const createdAt = new Date(this.#params.now()).toISOString();
      const record: LeaseRecord = { ...params, path, createdAt };
      const known = this.#records(volume).find((each) => each.consumer === consumer);
      const same = known !== undefined && isSame(known, record);
      if (known !== undefined && !same && (await this.#isWanted(volume, known))) throw taken(volume, known);
      // The record first: whatever ends this process in between, the lease is either wanted and mounted later, or not there.
      const others = this.#wanted(volume, await this.#mounted(volume)).filter((each) => each.consumer !== consumer);
      turn.volume.record = { ...before, leases: [...others, same ? known : record] };
      await turn.save();
      try {
        const mount = await this.#mount(volume, record);
        if (!same) turn.tell({ type: 'volume.lease.added', volume, ...facts(record), mountPoint: mount.mountPoint });
        return { ...(same ? known : record), state: 'mounted', mountPoint: mount.mountPoint };
      } catch (error) {
        turn.volume.record = before;
        await turn.save();
        throw error;
      }
    });
  }

  /**
   * Idempotent: false where there was none. Throws `not-found` for an unknown volume; `volume-busy` with the holders while somebody uses
   * the lease.
   */
  remove(volume: string, consumer: string): Promise<boolean> {
    return this.#params.manager.exclusive(volume, async (turn) => {
      const known = this.#records(volume).some((each) => each.consumer === consumer);
      const mounted = (await this.#mounted(volume)).some((each) => each.consumer === consumer);
      if (!known && !mounted) return false;
      await this.#unmount(volume, consumer, false);
      const leases = this.#records(volume).filter((each) => each.consumer !== consumer);
      turn.volume.record = { ...turn.volume.record, leases };
      await turn.save();
      turn.tell({ type: 'volume.lease.removed', volume, consumer });
      return true;
    });
  }

  /** After an open, an adoption, or a lock that failed. One consumer that cannot have its mount keeps nobody else from theirs. */
  async #mountAll(volume: string): Promise<void> {
    if (this.#records(volume).length === 0) return;
    const { manager, log } = this.#params;
    const mounted = await this.#mounted(volume);
    const wanted = this.#wanted(volume, mounted);
    for (const record of wanted) {
      const { consumer } = record;
      if (mounted.some((each) => each.consumer === consumer)) continue;
      try {
        const { mountPoint } = await this.#mount(volume, record);
        manager.tell({ type: 'volume.lease.mounted', volume, consumer, mountPoint });
      } catch (thrown) {
        const error = toReelError(thrown);
        log.error({ volume, consumer, err: error }, 'a lease could not be mounted');
        manager.tell({ type: 'volume.lease.failed', volume, consumer, error: error.toJSON() });
      }
    }
    this.#drained.delete(volume);
    await this.#clearEnded(volume, wanted);
  }

  /** A lock by force leaves the mount points of all leases, also of those that have ended with it. */
  async #clearEnded(volume: string, wanted: readonly LeaseRecord[]): Promise<void> {
    for (const { consumer } of this.#records(volume).filter((record) => !wanted.includes(record))) {
      try {
        await this.#unmount(volume, consumer, false);
      } catch (thrown) {
        const err = toReelError(thrown);
        this.#params.log.error({ volume, consumer, err }, 'the mount point of an ended lease could not be removed');
      }
    }
  }

  async #beforeLock(volume: string, { drain, slam, deadlineMs }: LockOptions): Promise<void> {
    // By force the helper takes them away itself, with whoever uses them.
    if (slam === true) return;
    const leases = await this.#mounted(volume);
    if (leases.length === 0) return;
    const consumers = leases.map(({ consumer }) => consumer);
    if (!drain) {
      throw new ReelError('volume-busy', {
        expected: `no lease of the volume ${volume}`,
        got: consumers.join(', '),
        hint: 'lock it with drain, which gives the consumers notice and takes their mounts away, or remove the leases',
        details: { leases },
      });
    }
    const graceMs = deadlineMs ?? defaultGraceMs;
    this.#params.manager.tell({ type: 'volume.lease.draining', volume, consumers, graceMs });
    this.#drained.set(volume, new Set(consumers));
    const patience = { end: performance.now() + graceMs };
    for (const { consumer } of leases) await this.#drain(volume, consumer, patience);
  }

  /** Takes the mount away as soon as nobody uses it; the last refusal goes on when the time is over. */
  async #drain(volume: string, consumer: string, patience: { readonly end: number }): Promise<void> {
    for (;;) {
      try {
        await this.#unmount(volume, consumer, this.#isKept(volume, consumer));
        return;
      } catch (thrown) {
        if (toReelError(thrown).code !== 'volume-busy' || performance.now() >= patience.end) throw thrown;
      }
      await sleep(pauseMs);
    }
  }

  /** Whether its mount point outlives a lock, empty and immutable, for the next open. */
  #isKept(volume: string, consumer: string): boolean {
    return this.#records(volume).some((each) => each.consumer === consumer && each.persistent);
  }

  #records(volume: string): readonly LeaseRecord[] {
    return this.#params.manager.get(volume).leases ?? [];
  }

  /** Without those that have ended with a lock. */
  #wanted(volume: string, mounted: readonly LeaseMount[]): LeaseRecord[] {
    const drained = this.#drained.get(volume);
    return this.#records(volume).filter(
      ({ persistent, consumer }) =>
        persistent || drained?.has(consumer) === true || mounted.some((each) => each.consumer === consumer),
    );
  }

  async #isWanted(volume: string, record: LeaseRecord): Promise<boolean> {
    return this.#wanted(volume, await this.#mounted(volume)).includes(record);
  }

  async #mounted(volume: string): Promise<readonly LeaseMount[]> {
    return (await this.#params.helper.call({ verb: 'lease-list', name: volume })).result.leases;
  }

  async #mount(volume: string, { consumer, path, readOnly, uid, gid }: LeaseRecord): Promise<LeaseMount> {
    const { container } = this.#params.manager.get(volume);
    const lease = { consumer, path, readOnly, uid, gid };
    return (await this.#params.helper.call({ verb: 'lease-add', name: volume, container, ...lease })).result;
  }

  async #unmount(volume: string, consumer: string, keepPoint: boolean): Promise<void> {
    await this.#params.helper.call({ verb: 'lease-remove', name: volume, consumer, keepPoint });
  }
}

const facts = ({ consumer, path, readOnly, uid, gid, persistent }: LeaseRecord) => ({
  ...{ consumer, path, readOnly, uid, gid, persistent },
});

const isSame = (one: LeaseRecord, other: LeaseRecord): boolean =>
  JSON.stringify(facts(one)) === JSON.stringify(facts(other));

const taken = (volume: string, { consumer, path, readOnly }: LeaseRecord): ReelError =>
  new ReelError('already-exists', {
    expected: `no other lease of ${consumer} on the volume ${volume}`,
    got: `one of ${path}, ${readOnly ? 'read-only' : 'writable'}`,
    hint: 'remove it first, or choose another name for the consumer',
  });

const stray = ({ consumer, path, readOnly, mountPoint }: LeaseMount): LeaseView => ({
  ...{ consumer, path, readOnly, uid: null, gid: null, persistent: false, createdAt: null },
  ...{ state: 'mounted', mountPoint },
});
