import type { Logger } from 'pino';
import { ReelError, toReelError } from '../../errors.ts';
import type { GrowReport } from '../../helper/protocol/grow.ts';
import { containerBytes } from '../create/options.ts';
import { repeat } from '../repeat.ts';
import type { VolumeHooks } from './hooks.ts';
import type { VolumeView } from './managed-volume.ts';
import type { VolumeManager } from './manager.ts';
import type { Turn } from './turn.ts';

export interface VolumeGrowthParams {
  readonly manager: VolumeManager;
  readonly log: Logger;
  /** Milliseconds between two looks at how far a grow is. */
  readonly progressIntervalMs?: number;
}

export interface GrownVolume {
  readonly volume: VolumeView;
  /** As the helper tells it, but `from` and `to` are net. */
  readonly grown: GrowReport['grown'];
}

/** Makes volumes larger, and finishes what a crash, a lock or a machine without the capability left for later. */
export class VolumeGrowth {
  readonly #params: VolumeGrowthParams;
  readonly #resumed = new Set<Promise<void>>();

  constructor(params: VolumeGrowthParams) {
    this.#params = params;
  }

  /** To be given to the manager: a volume that opens or is adopted on its way to a size goes on by itself. */
  readonly hooks: VolumeHooks = {
    onOpen: async ({ name, readOnly }) => {
      const { growing } = this.#params.manager.get(name);
      if (growing === null || readOnly) return;
      // Not awaited: the volume is open and usable, and this call holds the turn that the grow needs.
      const resumed = this.#resume(name, growing.to).finally(() => this.#resumed.delete(resumed));
      this.#resumed.add(resumed);
    },
  };

  /**
   * `size` is net, as `create` takes it; none for a volume on a block device, which grows to that. Idempotent: the same size again finishes what is unfinished. The volume stays open, or locked.
   * Throws `not-found`, `invalid-argument` for less than it has, `no-space`, `volume-state`, `luks-unsupported`.
   */
  grow(name: string, size?: number): Promise<GrownVolume> {
    return this.#params.manager.exclusive(name, (turn) => this.#grow(turn, size));
  }

  /** Resolves when what was resumed is over. */
  async close(): Promise<void> {
    await Promise.all(this.#resumed);
  }

  async #grow({ volume, helper, save, reconcile, tell }: Turn, netSize?: number): Promise<GrownVolume> {
    const { name, container, uuid, type } = volume.record;
    const size = netSize === undefined ? undefined : containerBytes(netSize, type);
    const progress = async (): Promise<void> => {
      const asked = await helper.call({ verb: 'grow-progress', volume: name, container }).catch(() => undefined);
      volume.progress = asked?.result.progress ?? volume.progress;
    };
    // how large a device has become is the helper's to find out
    volume.progress = size === undefined ? null : { from: volume.view().size, to: size, allocated: null };
    const endProgress = repeat(this.#params.progressIntervalMs ?? 1000, progress);
    try {
      const whole = { name, container, ...(uuid === null ? {} : { uuid }) };
      const { result } = await helper.call({ verb: 'grow', ...whole, ...(size === undefined ? {} : { size }) });
      const { grown, ...report } = result;
      const changed = grown.filesystem === 'grown' ? grown.from !== grown.to : volume.record.size !== grown.to;
      if (volume.state === 'failed') await reconcile();
      else volume.become(volume.state, { report });
      volume.record = { ...volume.record, size: grown.to };
      await save();
      const net = { ...grown, from: grown.from - volume.headerBytes, to: grown.to - volume.headerBytes };
      if (changed) tell({ type: 'volume.grown', volume: name, ...net });
      volume.progress = null;
      return { volume: volume.view(), grown: net };
    } finally {
      await endProgress();
      volume.progress = null;
    }
  }

  async #resume(name: string, to: number): Promise<void> {
    const { manager, log } = this.#params;
    try {
      const { grown } = await this.#resumeOpen(name, to);
      log.info({ volume: name, ...grown }, 'went on growing a volume');
    } catch (thrown) {
      const error = toReelError(thrown);
      if (error.code === 'volume-state') return;
      log.error({ volume: name, err: error }, 'a volume cannot go on growing');
      manager.tell({ type: 'volume.grow.failed', volume: name, to, code: error.code, reason: error.message });
    }
  }

  /** Somebody may have locked it before its turn came; it goes on at the next open then. */
  #resumeOpen(name: string, to: number): Promise<GrownVolume> {
    return this.#params.manager.exclusive(name, (turn) => {
      const { state, record } = turn.volume;
      if (state === 'open') return this.#grow(turn, record.blockDevice === undefined ? to : undefined);
      throw new ReelError('volume-state', { expected: `the volume ${name} to be open`, got: state });
    });
  }
}
