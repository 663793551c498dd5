/** What happens in the service, told to those who listen, and kept for a while for those who come back after a broken connection. */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';

export interface ServiceEvent {
  /** `<run>-<number>`: the run is another one after each start of the service, the number counts from 1 without holes. */
  readonly id: string;
  /** ISO 8601, UTC, by the wall clock. */
  readonly time: string;
  /** Dotted: `volume.state`, `stream.started`; docs/events.md lists them. */
  readonly type: string;
  readonly volume: string | null;
  readonly stream: string | null;
  /** Never a secret. `{"truncated":true}` where they were too large to keep. */
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface News {
  readonly type: string;
  readonly volume?: string | null;
  readonly stream?: string | null;
  readonly facts?: Readonly<Record<string, unknown>>;
}

export interface Listener {
  /** Called at once, in order, and must not take long: whoever is slow queues for itself, within bounds. */
  onEvent(event: ServiceEvent): void;
  /** Nothing more will come. */
  onClose?(): void;
}

export interface Past {
  /** Events after the given one that are no longer kept, or of another run: how many there were is not known. */
  readonly missed: boolean;
  readonly events: readonly ServiceEvent[];
}

export interface EventBusParams {
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
  /** How many events are kept. */
  readonly keep?: number;
}

/** Longest JSON of the facts of one event, in bytes: with `keep` it bounds the memory. */
const maxFacts = 8 * 1024;

export class EventBus {
  readonly #params: EventBusParams;
  readonly #keep: number;
  readonly #run = randomBytes(4).toString('hex');
  readonly #listeners = new Set<Listener>();
  #kept: ServiceEvent[] = [];
  #count = 0;
  #state: 'open' | 'closed' = 'open';

  constructor(params: EventBusParams) {
    this.#params = params;
    this.#keep = params.keep ?? 1000;
  }

  /** Id of the newest event; number 0 before the first. */
  get lastId(): string {
    return `${this.#run}-${this.#count}`;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Never throws and never waits. After `close` nobody hears it any more. */
  publish({ type, volume = null, stream = null, facts = {} }: News): ServiceEvent {
    this.#count += 1;
    const fits = JSON.stringify(facts).length <= maxFacts;
    const event: ServiceEvent = {
      id: this.lastId,
      time: new Date(this.#params.now()).toISOString(),
      ...{ type, volume, stream },
      facts: fits ? facts : { truncated: true },
    };
    this.#kept.push(event);
    // Cut in steps, so that an event does not cost a copy of the list.
    if (this.#kept.length >= this.#keep * 2) this.#kept = this.#kept.slice(-this.#keep);
    for (const listener of this.#listeners) {
      try {
        listener.onEvent(event);
      } catch (err) {
        this.#params.log.error({ err, type }, 'a listener of events failed');
      }
    }
    return event;
  }

  /** The events after `id`, or all that are kept. */
  past(id?: string): Past {
    const events = this.#kept.slice(-this.#keep);
    if (id === undefined) return { missed: false, events };
    const [run, number] = id.split('-');
    const after = run === this.#run && /^\d{1,15}$/.test(number ?? '') ? Number(number) : -1;
    const oldest = this.#count - events.length;
    if (after < oldest || after > this.#count) return { missed: true, events };
    return { missed: false, events: events.slice(after - oldest) };
  }

  /** The answer ends it. On a closed bus the listener is told so at once. */
  subscribe(listener: Listener): () => void {
    if (this.#state === 'closed') listener.onClose?.();
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells every listener that nothing more will come. Idempotent. */
  close(): void {
    this.#state = 'closed';
    for (const listener of this.#listeners) listener.onClose?.();
    this.#listeners.clear();
  }
}
