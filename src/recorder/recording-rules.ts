/** When a stream is recorded: what an admin said, and what follows from it at a given time. Pure. docs/recording.md has the rules. */
import { isSchedule, type Schedule } from './schedule.ts';

/** An order counts before everything else, until it is over or another one takes its place. */
export interface RecordingOrder {
  readonly mode: 'on' | 'off';
  /** Why, in the admin's words. */
  readonly reason: string;
  /** When it was given; Unix milliseconds, as all times here. */
  readonly at: number;
  /** When it is over by itself; null: never. */
  readonly until: number | null;
}

/** An order ends no later: what follows has no date that all who read it can write. One without an end has none. */
export const lastOrderEnd = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** A stretch of time in which an order, or a schedule, kept the stream from being recorded; `to` is null while it does. */
export interface OffTime {
  readonly from: number;
  readonly to: number | null;
}

export interface RecordingRules {
  readonly order: RecordingOrder | null;
  /** The newest one that an order of former times made; the order in force makes its own. */
  readonly lastOff: OffTime | null;
  /** Since when the schedule is as it is. */
  readonly schedule: (Schedule & { readonly setAt: number }) | null;
  /** The newest time without a window that the schedule before it made. */
  readonly lastUnscheduled: OffTime | null;
}

/** What holds now. */
export interface Wanted {
  readonly record: boolean;
  /** What says so; `always`: nobody has said anything. */
  readonly by: 'always' | 'order' | 'schedule';
  readonly reason: string;
  /** Since when, where that is known. */
  readonly since: number | null;
  /** When it may be otherwise by itself. */
  readonly until: number | null;
}

export const noRules: RecordingRules = { order: null, lastOff: null, schedule: null, lastUnscheduled: null };

/** What a schedule says at a time. */
export interface Scheduled {
  readonly inWindow: boolean;
  readonly until: number | null;
}

export const orderInForce = ({ order }: RecordingRules, now: number): RecordingOrder | null =>
  order !== null && (order.until === null || now < order.until) ? order : null;

/** `scheduled`: what the schedule says now, where there is one. */
export const wantedAt = (rules: RecordingRules, now: number, scheduled: Scheduled | null): Wanted => {
  const order = orderInForce(rules, now);
  if (order === null && scheduled !== null)
    return { record: scheduled.inWindow, by: 'schedule', reason: '', since: null, until: scheduled.until };
  if (order === null) return { record: true, by: 'always', reason: '', since: null, until: null };
  const { mode, reason, at, until } = order;
  return { record: mode === 'on', by: 'order', reason, since: at, until };
};

/** The newest time that orders kept the stream off, up to now. */
export const newestOff = ({ order, lastOff }: RecordingRules, now: number): OffTime | null => {
  if (order?.mode !== 'off') return lastOff;
  return { from: order.at, to: order.until !== null && order.until <= now ? order.until : null };
};

/** The rules with another order (null: none) from now on. */
export const withOrder = (rules: RecordingRules, order: RecordingOrder | null, now: number): RecordingRules => {
  const off = newestOff(rules, now);
  return { ...rules, order, lastOff: off === null ? null : { from: off.from, to: off.to ?? now } };
};

/** The rules with another schedule (null: none) from now on; `unscheduled`: the newest time without a window that the one before made. */
export const withSchedule = (
  rules: RecordingRules,
  schedule: Schedule | null,
  unscheduled: OffTime | null,
  now: number,
): RecordingRules => ({
  ...rules,
  schedule: schedule === null ? null : { ...schedule, setAt: now },
  lastUnscheduled: unscheduled,
});

const isTime = (value: unknown): boolean => Number.isSafeInteger(value);

const isOrder = (value: unknown): boolean => {
  const { mode, reason, at, until } = (value ?? {}) as Record<string, unknown>;
  return (
    (mode === 'on' || mode === 'off') && typeof reason === 'string' && isTime(at) && (until === null || isTime(until))
  );
};

const isOff = (value: unknown): boolean => {
  const { from, to } = (value ?? {}) as Record<string, unknown>;
  return isTime(from) && isTime(to);
};

/** Whether a file may say so. */
export const isRules = (value: unknown): value is RecordingRules => {
  const { order, lastOff, schedule, lastUnscheduled } = (value ?? {}) as Record<string, unknown>;
  return (
    (order === null || isOrder(order)) &&
    [lastOff, lastUnscheduled].every((off) => off === null || isOff(off)) &&
    (schedule === null || (isTime((schedule as { setAt?: unknown } | undefined)?.setAt) && isSchedule(schedule)))
  );
};
