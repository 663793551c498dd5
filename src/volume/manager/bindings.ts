import type { KeyRemoved } from '../../helper/protocol/keys.ts';
import type { KeyBound, UnlockResults } from '../../helper/protocol/unlock.ts';
import type { Requests } from '../../helper/protocol.ts';
import type { VolumeManager } from './manager.ts';
import type { Turn } from './turn.ts';

export type BindTo = Pick<Requests['unlock-bind'], 'pin' | 'url' | 'thumbprint' | 'pcrs'>;

const about = ({ volume }: Turn, current: Buffer | undefined) => {
  const { name, container, uuid } = volume.record;
  const by = current === undefined ? ('keyFile' as const) : ('passphrase' as const);
  return { name, container, current: by, ...(uuid === null ? {} : { uuid }) };
};

const given = (secret: Buffer | undefined): Buffer[] => (secret === undefined ? [] : [secret]);

/** Keys that a Tang server or a TPM gives back. Secrets are the caller's, who zeroes them; without `current` the key file unlocks. */
export class VolumeBindings {
  readonly #manager: VolumeManager;
  readonly #helper: Turn['helper'];

  constructor({ manager, helper }: { manager: VolumeManager; helper: Turn['helper'] }) {
    this.#manager = manager;
    this.#helper = helper;
  }

  /** Throws `tang-unavailable`. */
  async tangKeys(url: string): Promise<UnlockResults['unlock-tang']> {
    return (await this.#helper.call({ verb: 'unlock-tang', url })).result;
  }

  /** Idempotent. Throws `tang-untrusted`, `luks-unsupported` for LUKS1, `command-missing` without Clevis. */
  bind(name: string, to: BindTo, current?: Buffer): Promise<KeyBound> {
    return this.#manager.exclusive(name, async (turn) => {
      const request = { verb: 'unlock-bind', ...about(turn, current), ...to } as const;
      const { result } = await turn.helper.call(request, ...given(current));
      turn.tell({ type: 'volume.key.added', volume: name, kind: 'binding', ...result });
      return result;
    });
  }

  /** `current`, or the key file, is the proof that the key of another slot is known. Idempotent. */
  unbind(name: string, slot: number, current?: Buffer): Promise<KeyRemoved> {
    return this.#manager.exclusive(name, async (turn) => {
      const request = { verb: 'unlock-unbind', ...about(turn, current), slot } as const;
      const { result } = await turn.helper.call(request, ...given(current));
      if (result.keyFileRemoved) {
        turn.volume.record = { ...turn.volume.record, key: 'passphrase' };
        await turn.save();
      }
      turn.tell({ type: 'volume.key.removed', volume: name, ...result });
      return result;
    });
  }
}
