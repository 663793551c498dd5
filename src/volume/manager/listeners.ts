import type { Logger } from 'pino';
import { type ReelError, toReelError } from '../../errors.ts';
import type { LockOptions, OpenVolume, VolumeEvent, VolumeHooks } from './hooks.ts';
import type { ManagedVolume, VolumeView } from './managed-volume.ts';

/** The volume as those above it get it. Throws `volume-state` unless it is open. */
export const openedOf = (volume: ManagedVolume): OpenVolume => {
  const { name, uuid } = volume.record;
  return { name, uuid: uuid ?? '', readOnly: volume.readOnly, jail: volume.jail };
};

/** Those who want to know of the volumes, in the order in which they came. */
export class Listeners {
  readonly #log: Logger;
  readonly #hooks: VolumeHooks[] = [];

  constructor({ log }: { readonly log: Logger }) {
    this.#log = log;
  }

  get all(): readonly VolumeHooks[] {
    return this.#hooks;
  }

  add(hooks: VolumeHooks): void {
    this.#hooks.push(hooks);
  }

  state(view: VolumeView): void {
    for (const hooks of this.#hooks) hooks.onState?.(view);
  }

  tell(event: VolumeEvent): void {
    for (const hooks of this.#hooks) hooks.onEvent?.(event);
  }

  /** One after another. The answer is why some refused; the others have let go. With `drain` nobody is asked after the first that refused. */
  async beforeLock(name: string, options: LockOptions): Promise<ReelError[]> {
    const refusals: ReelError[] = [];
    for (const hooks of this.#hooks) {
      if (options.drain && refusals.length > 0) break;
      await hooks.beforeLock?.(name, options).catch((thrown: unknown) => refusals.push(toReelError(thrown)));
    }
    return refusals;
  }

  recordings(name: string): string[] {
    return this.#hooks.flatMap((hooks) => hooks.recordings?.(name) ?? []);
  }

  /** The answer is why a part cannot use the volume; undefined where all of them can. */
  opened(volume: ManagedVolume): Promise<ReelError | undefined> {
    const opened = openedOf(volume);
    return this.#each(opened.name, (hooks) => hooks.onOpen?.(opened));
  }

  async lost(name: string, error: ReelError): Promise<void> {
    await this.#each(name, (hooks) => hooks.onLost?.(name, error));
  }

  async paused(name: string, reason: ReelError | undefined): Promise<void> {
    await this.#each(name, (hooks) => hooks.onPause?.(name, reason));
  }

  /** One listener that fails must not keep the others from hearing. The answer is what the first of them failed with. */
  async #each(volume: string, tell: (hooks: VolumeHooks) => Promise<void> | undefined): Promise<ReelError | undefined> {
    let first: ReelError | undefined;
    for (const hooks of this.#hooks) {
      try {
        await tell(hooks);
      } catch (thrown) {
        const error = toReelError(thrown);
        first ??= error;
        this.#log.error({ volume, err: error }, 'a part could not follow a change of a volume');
      }
    }
    return first;
  }
}
