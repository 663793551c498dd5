/** Events that wait for one receiver, within bounds: the oldest make room. */
import type { ServiceEvent } from '../bus.ts';

export interface WaitingEvent {
  readonly event: ServiceEvent;
  /** Events for this receiver, right before this one, that it was never given. */
  readonly missed: number;
}

export interface QueueBounds {
  readonly maxEvents: number;
  /** Of the events' JSON. */
  readonly maxBytes: number;
}

interface Item extends WaitingEvent {
  readonly bytes: number;
}

export class EventQueue {
  readonly #bounds: QueueBounds;
  #items: Item[] = [];
  #bytes = 0;
  /** Lost ones after which none waits yet. */
  #missed = 0;

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#items.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many of the oldest made room; the new one always stays. */
  push(event: ServiceEvent): number {
    const bytes = Buffer.byteLength(JSON.stringify(event));
    this.#items.push({ event, bytes, missed: this.#missed });
    this.#missed = 0;
    this.#bytes += bytes;
    let dropped = 0;
    while (this.#items.length > 1 && this.#isOver()) {
      const { missed } = this.take() as WaitingEvent;
      dropped += 1;
      this.miss(missed + 1);
    }
    return dropped;
  }

  take(): WaitingEvent | undefined {
    const item = this.#items.shift();
    this.#bytes -= item?.bytes ?? 0;
    return item;
  }

  /** So many that came before the first of those that wait were lost. */
  miss(count: number): void {
    const [first] = this.#items;
    if (first === undefined) this.#missed += count;
    else this.#items[0] = { ...first, missed: first.missed + count };
  }

  /** How many there were. */
  clear(): number {
    const { size } = this;
    this.#items = [];
    this.#bytes = 0;
    return size;
  }

  #isOver(): boolean {
    return this.#items.length > this.#bounds.maxEvents || this.#bytes > this.#bounds.maxBytes;
  }
}
