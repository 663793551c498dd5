import type { Logger } from 'pino';
import { type ReelError, toReelError } from '../../errors.ts';
import type { Unlocked } from '../../helper/protocol/unlock.ts';
import { repeat } from '../repeat.ts';
import type { Attempt } from '../unlock/way.ts';
import type { VolumeHooks } from './hooks.ts';
import type { VolumeManager } from './manager.ts';

export interface AutoOpenParams {
  readonly manager: VolumeManager;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds between two looks for locked volumes. */
  readonly lookMs?: number;
  /** Milliseconds until the first retry; each further one waits twice as long, up to five minutes. */
  readonly retryMs?: number;
}

/** What came of opening a volume without an admin, the last time. */
export interface LastTry {
  /** ISO 8601. */
  readonly at: string;
  /** Null where nothing opened it. */
  readonly openedBy: Unlocked['openedBy'];
  readonly attempts: readonly Attempt[];
  readonly error: ReturnType<ReelError['toJSON']> | null;
}

export interface AutoOpenStatus {
  readonly autoOpen: boolean;
  /** Locked by an admin since the service started: left alone until the next start, or until it is opened. */
  readonly held: boolean;
  readonly last: LastTry | null;
  /** ISO 8601; null where nothing is waited for. */
  readonly retryAt: string | null;
}

interface Wait {
  readonly failures: number;
  readonly until: number;
}

const longestWaitMs = 300_000;

/** Opens locked volumes that are to open without an admin: at the start, and again and again where none of their ways works yet. */
export class AutoOpen {
  readonly #params: AutoOpenParams;
  readonly #held = new Set<string>();
  readonly #waits = new Map<string, Wait>();
  readonly #last = new Map<string, LastTry>();
  #closing = false;
  #end: () => Promise<void> = async () => {};

  constructor(params: AutoOpenParams) {
    this.#params = params;
  }

  /** To be in use before the manager starts. */
  readonly hooks: VolumeHooks = {
    onState: ({ name, state }) => {
      if (state === 'locking') this.#held.add(name);
      if (state === 'open' || state === 'creating') this.#held.delete(name);
      if (state === 'open') this.#waits.delete(name);
    },
  };

  /** After the manager has adopted what is open. The first look is at once, and is not waited for. */
  start(): void {
    const first = this.#look();
    const end = repeat(this.#params.lookMs ?? 1000, async () => {
      await first;
      await this.#look();
    });
    this.#end = async () => {
      await first;
      await end();
    };
  }

  /** Begins no further try, and waits for the one that runs. */
  close(): Promise<void> {
    this.#closing = true;
    return this.#end();
  }

  /** Throws `not-found`. */
  set(name: string, autoOpen: boolean): Promise<AutoOpenStatus> {
    return this.#params.manager.exclusive(name, async (turn) => {
      turn.volume.record = { ...turn.volume.record, autoOpen };
      await turn.save();
      this.#waits.delete(name);
      turn.tell({ type: 'volume.autoopen.set', volume: name, autoOpen });
      return this.status(name);
    });
  }

  /** Throws `not-found`. */
  async status(name: string): Promise<AutoOpenStatus> {
    const { autoOpen = false } = this.#params.manager.get(name);
    const wait = this.#waits.get(name);
    return {
      autoOpen,
      held: this.#held.has(name),
      last: this.#last.get(name) ?? null,
      retryAt: wait === undefined || !autoOpen ? null : new Date(wait.until).toISOString(),
    };
  }

  async #look(): Promise<void> {
    const { manager, now } = this.#params;
    for (const { name, state, autoOpen } of manager.list()) {
      const waits = now() < (this.#waits.get(name)?.until ?? 0);
      if (autoOpen === true && state === 'locked' && !this.#held.has(name) && !waits && !this.#closing)
        await this.#try(name);
    }
  }

  async #try(name: string): Promise<void> {
    const { manager, log, now } = this.#params;
    const at = new Date(now()).toISOString();
    try {
      const unlocked = await manager.openUnattended(name, () => !this.#held.has(name));
      if (unlocked === undefined) return;
      const { openedBy, attempts } = unlocked;
      this.#last.set(name, { at, openedBy, attempts, error: null });
      log.info({ volume: name, openedBy, attempts }, 'volume opened without an admin');
      manager.tell({ type: 'volume.autoopen.opened', volume: name, openedBy, attempts });
    } catch (thrown) {
      const error = toReelError(thrown);
      const attempts = (error.details.attempts ?? []) as readonly Attempt[];
      const failures = (this.#waits.get(name)?.failures ?? 0) + 1;
      const againInMs = Math.min((this.#params.retryMs ?? 5000) * 2 ** (failures - 1), longestWaitMs);
      this.#waits.set(name, { failures, until: now() + againInMs });
      this.#last.set(name, { at, openedBy: null, attempts, error: error.toJSON() });
      log.warn({ volume: name, err: error, againInMs }, 'volume could not be opened without an admin');
      const { code, message: reason } = error;
      manager.tell({ type: 'volume.autoopen.failed', volume: name, code, reason, attempts, againInMs });
    }
  }
}
