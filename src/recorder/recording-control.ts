/** Whether each stream is to be recorded now: takes orders, keeps them, and looks at the clock for what begins or ends by itself. */
import { ReelError } from '../errors.ts';
import type { DeclaredStreams } from './declared-streams.ts';
import type { Cause } from './explain-gap.ts';
import {
  newestOff,
  orderInForce,
  type RecordingOrder,
  type RecordingRules,
  type Wanted,
  wantedAt,
  withOrder,
} from './recording-rules.ts';

export interface OrderRequest {
  /** `schedule`: no order; what else is known of the stream counts. */
  readonly mode: 'on' | 'off' | 'schedule';
  readonly reason?: string;
  /** Unix milliseconds; without it, until another order. */
  readonly until?: number;
}

export interface ControlParams {
  readonly streams: DeclaredStreams;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Brings a stream that is being published in line with what is wanted. */
  readonly follow: (stream: string) => Promise<void>;
}

/** How long an order waits for the recording that it ends or begins: what it says is kept in any case. */
const followMs = 5000;

/** Resolves with `done`, or after `ms`. */
const within = async (ms: number, done: Promise<void>): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const limit = setTimeout(resolve, ms);
  await Promise.race([done, promise]);
  clearTimeout(limit);
};

export class RecordingControl {
  readonly #params: ControlParams;

  constructor(params: ControlParams) {
    this.#params = params;
  }

  rules(stream: string): RecordingRules {
    return this.#params.streams.registry.rules(stream);
  }

  wanted(stream: string): Wanted {
    return wantedAt(this.rules(stream), this.#params.now());
  }

  /** The order that holds now. */
  order(stream: string): RecordingOrder | null {
    return orderInForce(this.rules(stream), this.#params.now());
  }

  /** Resolves when the order is on disk, and followed as far as that is quick. `not-found` for a stream that is not declared. */
  async setOrder(stream: string, { mode, reason = '', until }: OrderRequest): Promise<void> {
    const { streams, now, follow } = this.#params;
    streams.get(stream);
    const at = now();
    if (until !== undefined && until <= at)
      throw new ReelError('invalid-argument', {
        expected: `a time after now (${new Date(at).toISOString()}) for the end of the order`,
        got: new Date(until).toISOString(),
      });
    const order = mode === 'schedule' ? null : { mode, reason, at, until: until ?? null };
    await streams.setRules(stream, withOrder(this.rules(stream), order, at));
    await within(followMs, follow(stream));
  }

  /** What kept the stream from being recorded, up to now. */
  causes(stream: string): Cause[] {
    const now = this.#params.now();
    const off = newestOff(this.rules(stream), now);
    return off === null ? [] : [{ reason: 'ordered-off', from: off.from, to: off.to ?? now }];
  }
}
