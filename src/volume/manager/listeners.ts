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

  /** One after another. The first that refuses ends it and is thrown; those before it have let go. */
  async beforeLock(name: string, options: LockOptions): Promise<void> {
    for (const hooks of this.#hooks) await hooks.beforeLock?.(name, options);
  }

  opened(volume: ManagedVolume): Promise<void> {
    const opened = openedOf(volume);
    return this.#each(opened.name, (hooks) => hooks.onOpen?.(opened));
  }

  lost(name: string, error: ReelError): Promise<void> {
    return this.#each(name, (hooks) => hooks.onLost?.(name, error));
  }

  paused(name: string, reason: ReelError | undefined): Promise<void> {
    return this.#each(name, (hooks) => hooks.onPause?.(name, reason));
  }

  /** One listener that fails must not keep the others from hearing. */
  async #each(volume: string, tell: (hooks: VolumeHooks) => Promise<void> | undefined): Promise<void> {
    for (const hooks of this.#hooks) {
      try {
        await tell(hooks);
      } catch (thrown) {
        this.#log.error({ volume, err: toReelError(thrown) }, 'a part could not follow a change of a volume');
      }
    }
  }
}
