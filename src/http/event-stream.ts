/** Events as a stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
import { Readable } from 'node:stream';
import type { EventBus, ServiceEvent } from '../events/bus.ts';
import { type EventFilter, fits } from '../events/filter.ts';

export interface EventStreamParams {
  readonly bus: EventBus;
  readonly filter: EventFilter;
  /** `Last-Event-ID` of the client: what came after it is told first. Without: only what happens from now on. */
  readonly after?: string | undefined;
  readonly heartbeatMs?: number;
  /** A client that lets more than this wait is dropped: it comes back with its `Last-Event-ID`. */
  readonly maxBytes?: number;
}

/** How long a browser waits before it connects again. */
const retryMs = 2000;

const frame = (event: ServiceEvent): string =>
  `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;

/** Of events that happened and are not kept any more. Without an id of its own: the client's stays where it is until a real event. */
const missedFrame = `event: events.missed\ndata: {"type":"events.missed"}\n\n`;

/** Ends when the bus closes; lets go of it however the stream ends. */
export class EventStream extends Readable {
  readonly #leave: () => void;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #maxBytes: number;

  constructor({ bus, filter, after, heartbeatMs = 15_000, maxBytes = 1024 * 1024 }: EventStreamParams) {
    super();
    this.#maxBytes = maxBytes;
    this.#heartbeat = setInterval(() => this.#send(':\n\n'), heartbeatMs);
    this.push(`retry: ${retryMs}\n\n`);
    // The past and the future are taken in one go: nothing happens in between, so nothing is missed or told twice.
    const { missed, events } = after === undefined ? { missed: false, events: [] } : bus.past(after);
    if (missed) this.push(missedFrame);
    for (const event of events) if (fits(event, filter)) this.push(frame(event));
    // Where nothing was of interest the client still learns how far it has come.
    this.push(`id: ${bus.lastId}\nevent: events.ready\ndata: {"type":"events.ready"}\n\n`);
    this.#leave = bus.subscribe({
      onEvent: (event) => {
        if (fits(event, filter)) this.#send(frame(event));
      },
      onClose: () => this.push(null),
    });
  }

  override _read(): void {
    // Events come by themselves; what the client does not take waits in the buffer, up to the bound.
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearInterval(this.#heartbeat);
    this.#leave();
    done(error);
  }

  #send(text: string): void {
    if (this.destroyed || this.readableEnded) return;
    this.push(text);
    if (this.readableLength > this.#maxBytes) this.destroy();
  }
}
