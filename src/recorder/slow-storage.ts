/**
 * A publisher that is faster than the disk is held back. One that is held back for too long without a break is let go on: what it sends is dropped,
 * until all that was taken is durable and a recording begins again. docs/trouble.md has the rule.
 */
import type { Logger } from 'pino';
import { HoldBack } from './hold-back.ts';
import type { Publication } from './publication.ts';
import type { TroubleLog } from './trouble-log.ts';

export interface SlowStorageParams {
  /** Milliseconds from any start, by a clock that is never set. */
  readonly elapsed: () => number;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly mostMs: number;
  readonly troubles: TroubleLog;
  readonly log: Logger;
  readonly onShedding: (publication: Publication, dropping: boolean, bytes: number) => void;
}

export class SlowStorage {
  readonly #params: SlowStorageParams;
  readonly #holdBack: HoldBack;
  readonly #dropped = new Map<string, number>();

  constructor(params: SlowStorageParams) {
    this.#params = params;
    this.#holdBack = new HoldBack(params);
  }

  /** Bytes that were dropped since the start, by stream. */
  get dropped(): ReadonlyMap<string, number> {
    return this.#dropped;
  }

  /** Once a second, at every publisher. */
  look(publication: Publication): void {
    const { heldSince } = publication;
    if (!this.#holdBack.isTooLong(publication.stream, heldSince) || heldSince === undefined) return;
    const { elapsed, now } = this.#params;
    void this.#shed(publication, now() - (elapsed() - heldSince));
  }

  /** `from`: nothing has been taken since. */
  async #shed(publication: Publication, from: number): Promise<void> {
    const { log, troubles, onShedding } = this.#params;
    const { stream, volume, dropped } = publication;
    log.warn({ stream, volume }, 'the storage is too slow: what comes is dropped until it has caught up');
    onShedding(publication, true, 0);
    troubles.began(`stream:${stream}`, 'disk', from);
    await publication.shed();
    const bytes = publication.dropped - dropped;
    this.#dropped.set(stream, (this.#dropped.get(stream) ?? 0) + bytes);
    log.warn({ stream, volume, bytes }, 'the storage has caught up');
    onShedding(publication, false, bytes);
  }
}
