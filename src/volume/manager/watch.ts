/** Follows the volumes while nobody does anything to them: what the helper finds becomes their states, conditions and events. */
import type { Logger } from 'pino';
import { ReelError, toReelError } from '../../errors.ts';
import type { HelperClient } from '../../helper/client.ts';
import type { VolumeFacts } from '../watch/facts.ts';
import { Conditions } from './conditions.ts';
import type { VolumeEvent } from './hooks.ts';
import { conditionsOf, containerProblem, type Expected, type Found, lossOf, unusable } from './judge.ts';
import type { Limits } from './limits.ts';
import type { ManagedVolume } from './managed-volume.ts';
import { failureOf } from './next-step.ts';

export interface VolumeWatchParams {
  readonly helper: HelperClient;
  readonly log: Logger;
  readonly now: () => number;
  readonly limits: Limits;
  /** How long a block plane may let requests wait; without it what the helper was started with. */
  readonly hangMs?: (() => number) | undefined;
  /** What the manager does for the watch; each runs while the volume's mutex is held. */
  readonly manager: {
    lose(volume: ManagedVolume, error: ReelError): Promise<void>;
    reconcile(volume: ManagedVolume): Promise<void>;
    /** `error`: recording into it waits; undefined: it goes on. */
    pause(volume: ManagedVolume, error: ReelError | undefined): Promise<void>;
    tell(event: VolumeEvent): void;
  };
}

const pauseError = (volume: string, { kind, message, nextStep }: Found): ReelError =>
  new ReelError('volume-paused', {
    expected: `the volume ${volume} to take recordings`,
    got: message,
    hint: nextStep,
    details: { volume, condition: kind },
  });

const expectedOf = ({ record, report }: ManagedVolume): Expected => ({
  ...{ container: record.container, uuid: record.uuid, size: report?.size ?? null },
  isDevice: record.blockDevice !== undefined,
});

/** Failures that end by themselves when the facts are right again. What was cut off a container does not come back with its length. */
const mends = (volume: ManagedVolume, facts: VolumeFacts): boolean =>
  volume.failure?.error.code === 'container-changed' &&
  volume.failure.error.details.cut !== true &&
  (facts.attachedFile !== null || facts.attachedDevice !== null) &&
  facts.host !== null &&
  containerProblem(expectedOf(volume), facts) === undefined;

export class VolumeWatch {
  readonly #params: VolumeWatchParams;
  readonly #conditions = new WeakMap<ManagedVolume, Conditions>();

  constructor(params: VolumeWatchParams) {
    this.#params = params;
  }

  /**
   * Facts about volumes that are quiet, or undefined where the helper does not answer: that says nothing about a volume, which needs no
   * helper while it is open.
   */
  async ask(volumes: readonly ManagedVolume[]): Promise<readonly VolumeFacts[] | undefined> {
    const { hangMs } = this.#params;
    // Each time: a helper that was started again knows only what its environment says.
    const hang = hangMs === undefined ? {} : { hangMs: hangMs() };
    try {
      const watched = volumes.map(({ record: { name, container, uuid } }) => ({
        ...{ name, container },
        ...(uuid === null ? {} : { uuid }),
      }));
      return (await this.#params.helper.call({ verb: 'watch', volumes: watched, ...hang })).result.volumes;
    } catch (thrown) {
      const error = toReelError(thrown);
      if (error.code !== 'helper-unavailable')
        this.#params.log.warn({ err: error }, 'the volumes could not be watched');
      return undefined;
    }
  }

  /** What the facts mean for the volume. Under its mutex, and only where nothing was done to it since the question. */
  async follow(volume: ManagedVolume, facts: VolumeFacts): Promise<void> {
    const { manager } = this.#params;
    const { state, report } = volume;
    if (state === 'open' && report !== undefined) {
      const loss = lossOf(expectedOf(volume), report, facts);
      if (loss === undefined) return this.#note(volume, facts);
      this.forget(volume);
      return manager.lose(volume, loss);
    }
    if (mends(volume, facts)) return manager.reconcile(volume);
    if (state === 'locked' && facts.host !== null && facts.host.file === null) {
      const gone = new ReelError('not-found', {
        expected: `the container ${volume.record.container}`,
        got: 'no such file',
      });
      volume.become('absent', { failure: failureOf(gone) });
    }
    if (state === 'absent' && facts.host?.file != null) await manager.reconcile(volume);
  }

  /** The volume was handed to the parts above. `error`: why one of them cannot use it; that holds until it is handed to them again. */
  async opened(volume: ManagedVolume, error: ReelError | undefined): Promise<void> {
    const others = this.#conditionsOf(volume).list.filter(({ kind }) => kind !== 'unusable');
    const found = error === undefined ? others : [unusable(volume.record.name, error), ...others];
    await this.#become(volume, found, { anew: true });
  }

  /** Of a volume that is no longer open. */
  forget(volume: ManagedVolume): void {
    this.#conditions.delete(volume);
    volume.conditions = [];
  }

  async #note(volume: ManagedVolume, facts: VolumeFacts): Promise<void> {
    const conditions = this.#conditionsOf(volume);
    const lasting = conditions.list.filter(({ kind }) => kind === 'unusable');
    await this.#become(volume, [...lasting, ...conditionsOf(facts, conditions.list, this.#params.limits)]);
  }

  #conditionsOf(volume: ManagedVolume): Conditions {
    const conditions = this.#conditions.get(volume) ?? new Conditions(this.#params.now);
    this.#conditions.set(volume, conditions);
    return conditions;
  }

  /** Takes over what holds now, and tells. `anew`: nobody above has heard of a pause yet. */
  async #become(volume: ManagedVolume, found: readonly Found[], { anew = false } = {}): Promise<void> {
    const { manager } = this.#params;
    const conditions = this.#conditionsOf(volume);
    const paused = conditions.list.some((condition) => condition.pausesRecording);
    const changes = conditions.become(found);
    volume.conditions = conditions.list;
    const { name } = volume.record;
    for (const { condition, active } of changes) {
      const { since: _, ...told } = condition;
      manager.tell({ type: 'volume.condition', volume: name, active, ...told });
    }
    const cause = conditions.list.find((condition) => condition.pausesRecording);
    if (paused !== (cause !== undefined)) {
      manager.tell({
        type: cause === undefined ? 'volume.resumed' : 'volume.paused',
        volume: name,
        reason: cause?.message,
      });
    } else if (!anew || cause === undefined) return;
    await manager.pause(volume, cause === undefined ? undefined : pauseError(name, cause));
  }
}
