import type { KeyAdded, KeyChanged, KeyList, KeyRemoved } from '../../helper/protocol/keys.ts';
import type { Requests } from '../../helper/protocol.ts';
import { makeRecoveryKey } from '../../luks/recovery-key.ts';
import type { KeyKind } from '../keys/kinds.ts';
import type { VolumeManager } from './manager.ts';
import type { VolumeRecord } from './registry.ts';
import type { Turn } from './turn.ts';

type Kinds = NonNullable<VolumeRecord['keyKinds']>;

/** Only LUKS1 needs the record to say it: at first there is the slot that `create` made. */
const kindsOf = ({ type, key, keyKinds }: VolumeRecord): Kinds =>
  type === 'luks1' ? (keyKinds ?? { 0: key === 'keyFile' ? 'keyFile' : 'passphrase' }) : {};

/** What the record has to follow. */
interface Change {
  readonly kinds: Readonly<Record<number, KeyKind>>;
  readonly gone: readonly number[];
  /** What opens the volume by default from now on. */
  readonly key?: VolumeRecord['key'];
}

const whole = ({ volume }: Turn): Pick<Requests['keys-list'], 'name' | 'container' | 'uuid'> => {
  const { name, container, uuid } = volume.record;
  return { name, container, ...(uuid === null ? {} : { uuid }) };
};

const by = (secret: Buffer | undefined): 'passphrase' | 'keyFile' => (secret === undefined ? 'keyFile' : 'passphrase');
const given = (...secrets: readonly (Buffer | undefined)[]): Buffer[] =>
  secrets.filter((secret) => secret !== undefined);

/**
 * The keys of the volumes: one change of a volume at a time, remembered and told. Every secret is the caller's, who zeroes it. Without
 * `current` the volume's key file unlocks.
 */
export class VolumeKeys {
  readonly #manager: VolumeManager;

  constructor({ manager }: { manager: VolumeManager }) {
    this.#manager = manager;
  }

  /** Throws `not-found`. */
  list(name: string): Promise<KeyList> {
    return this.#manager.exclusive(name, (turn) => this.#list(turn));
  }

  /** A passphrase, or the volume's key file where it has none. Idempotent. */
  add(name: string, key: Buffer | 'keyFile', current?: Buffer): Promise<KeyAdded> {
    return this.#manager.exclusive(name, async (turn) => {
      const kind = key === 'keyFile' ? 'keyFile' : 'passphrase';
      const fresh = key === 'keyFile' ? undefined : key;
      return this.#add(turn, { current: by(current), kind }, given(current, fresh));
    });
  }

  /** Makes a recovery key in the place of the former one. The answer is its text, which the caller zeroes. */
  recovery(name: string, current?: Buffer): Promise<Buffer> {
    return this.#manager.exclusive(name, async (turn) => {
      const { keys } = await this.#list(turn);
      const replaces = keys.filter(({ kind }) => kind === 'recovery').map(({ slot }) => slot);
      const text = makeRecoveryKey();
      try {
        await this.#add(turn, { current: by(current), kind: 'recovery', replaces }, given(current, text));
        return text;
      } catch (error) {
        text.fill(0);
        throw error;
      }
    });
  }

  /** A new passphrase in the place of `old`. Idempotent. */
  change(name: string, old: Buffer, fresh: Buffer): Promise<KeyChanged> {
    return this.#manager.exclusive(name, async (turn) => {
      const { result } = await turn.helper.call({ verb: 'keys-change', ...whole(turn) }, old, fresh);
      await this.#remember(turn, { kinds: { [result.slot]: 'passphrase' }, gone: result.removed });
      turn.tell({ type: 'volume.key.changed', volume: name, kind: 'passphrase', ...result });
      return result;
    });
  }

  /** By slot or by the key itself; `current` (or the key file) is the proof that another key is known. */
  remove(name: string, target: number | Buffer, current?: Buffer): Promise<KeyRemoved> {
    return this.#manager.exclusive(name, async (turn) => {
      const [slot, key] = typeof target === 'number' ? [{ slot: target }, undefined] : [{}, target];
      const request = { verb: 'keys-remove', ...whole(turn), current: by(current), ...slot } as const;
      const { result } = await turn.helper.call(request, ...given(current, key));
      const opensBy = result.keyFileRemoved ? 'passphrase' : turn.volume.record.key;
      await this.#remember(turn, { kinds: {}, gone: result.slot === null ? [] : [result.slot], key: opensBy });
      turn.tell({ type: 'volume.key.removed', volume: name, ...result });
      return result;
    });
  }

  /** A new random key file in the place of the volume's. A call after a crash finishes what that one began. */
  rotate(name: string): Promise<KeyAdded> {
    return this.#manager.exclusive(name, async (turn) => {
      const { result } = await turn.helper.call({ verb: 'keys-rotate', ...whole(turn) });
      await this.#remember(turn, { kinds: { [result.slot]: 'keyFile' }, gone: result.removed });
      turn.tell({ type: 'volume.key.changed', volume: name, kind: 'keyFile', ...result });
      return result;
    });
  }

  async #list(turn: Turn): Promise<KeyList> {
    const { result } = await turn.helper.call({ verb: 'keys-list', ...whole(turn) });
    const kinds = kindsOf(turn.volume.record);
    return { ...result, keys: result.keys.map((key) => ({ ...key, kind: key.kind ?? kinds[key.slot] ?? null })) };
  }

  async #add(
    turn: Turn,
    what: Pick<Requests['keys-add'], 'current' | 'kind' | 'replaces'>,
    secrets: readonly Buffer[],
  ): Promise<KeyAdded> {
    const { result } = await turn.helper.call({ verb: 'keys-add', ...whole(turn), ...what }, ...secrets);
    const change = { kinds: { [result.slot]: what.kind }, gone: result.removed };
    await this.#remember(turn, what.kind === 'keyFile' ? { ...change, key: 'keyFile' } : change);
    turn.tell({ type: 'volume.key.added', volume: turn.volume.record.name, kind: what.kind, ...result });
    return result;
  }

  async #remember(turn: Turn, { kinds, gone, key }: Change): Promise<void> {
    const { record } = turn.volume;
    const all: Kinds = { ...kindsOf(record), ...kinds };
    const keyKinds = Object.fromEntries(Object.entries(all).filter(([slot]) => !gone.includes(Number(slot))));
    turn.volume.record = { ...record, key: key ?? record.key, ...(record.type === 'luks1' ? { keyKinds } : {}) };
    await turn.save();
  }
}
