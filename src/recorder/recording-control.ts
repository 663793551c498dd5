/** Whether each stream is to be recorded now: takes orders and schedules, keeps them, and asks them by the clock. */
import { ReelError } from '../errors.ts';
import type { DeclaredStreams } from './declared-streams.ts';
import type { Cause } from './explain-gap.ts';
import {
  lastOrderEnd,
  newestOff,
  orderInForce,
  type RecordingOrder,
  type RecordingRules,
  type Wanted,
  wantedAt,
  withOrder,
  withSchedule,
} from './recording-rules.ts';
import { checkSchedule, type Schedule } from './schedule.ts';
import { Scheduler } from './scheduler.ts';

export interface OrderRequest {
  /** `schedule`: no order; the schedule counts, if there is one. */
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
  readonly #scheduler = new Scheduler();

  constructor(params: ControlParams) {
    this.#params = params;
  }

  rules(stream: string): RecordingRules {
    return this.#params.streams.registry.rules(stream);
  }

  wanted(stream: string): Wanted {
    const rules = this.rules(stream);
    const now = this.#params.now();
    return wantedAt(rules, now, rules.schedule === null ? null : this.#scheduler.at(rules.schedule, now));
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
    if (until !== undefined && !(until > at && until <= lastOrderEnd))
      throw new ReelError('invalid-argument', {
        expected: `a time after now (${new Date(at).toISOString()}) and before the year 10000 for the end of the order`,
        got: until > lastOrderEnd ? `${until} ms` : new Date(until).toISOString(),
      });
    const order = mode === 'schedule' ? null : { mode, reason, at, until: until ?? null };
    await streams.setRules(stream, withOrder(this.rules(stream), order, at));
    await within(followMs, follow(stream));
  }

  /** Null: no schedule. Resolves as `setOrder` does. `invalid-argument` for one that cannot be followed. */
  async setSchedule(stream: string, schedule: Schedule | null): Promise<void> {
    const { streams, now, follow } = this.#params;
    streams.get(stream);
    if (schedule !== null) checkSchedule(schedule);
    const rules = this.rules(stream);
    const at = now();
    const former = rules.schedule;
    const unscheduled = former === null ? null : this.#scheduler.newestOff(former, at);
    await streams.setRules(stream, withSchedule(rules, schedule, unscheduled ?? rules.lastUnscheduled, at));
    await within(followMs, follow(stream));
  }

  /** What kept the stream from being recorded from a time on (Unix milliseconds). */
  causes(stream: string, from: number): Cause[] {
    const now = this.#params.now();
    const rules = this.rules(stream);
    const { schedule, lastUnscheduled } = rules;
    const off = newestOff(rules, now);
    const causes: Cause[] = [];
    const add = (reason: Cause['reason'], time: { from: number; to: number | null }) =>
      causes.push({ reason, from: time.from, to: time.to ?? now });
    if (off !== null) add('ordered-off', off);
    if (lastUnscheduled !== null) add('scheduled-off', lastUnscheduled);
    if (schedule !== null)
      for (const time of this.#scheduler.off(schedule, Math.max(from, schedule.setAt), now)) add('scheduled-off', time);
    return causes;
  }
}
