/** Weekly windows of a stream, in the local time of a zone. Pure. docs/recording.md says what happens where clocks are put forward and back. */
import { ReelError } from '../errors.ts';

export const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Day = (typeof days)[number];

/** From a time of day on, on each of the days; to a time of the same day, or of the next one where it is not later. */
export interface ScheduleWindow {
  readonly days: readonly Day[];
  /** `22:00`. */
  readonly from: string;
  /** Exclusive; `24:00` is the end of the day. */
  readonly to: string;
}

export interface Schedule {
  /** As the IANA names it. */
  readonly timeZone: string;
  readonly windows: readonly ScheduleWindow[];
}

export const timePattern = '^([01]\\d|2[0-3]):[0-5]\\d$|^24:00$';
const time = new RegExp(timePattern);

const minuteMs = 60_000;
const dayMinutes = 1440;
const weekMinutes = 7 * dayMinutes;

const minutesOf = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));

/** `invalid-argument` for a schedule that none can follow. */
export const checkSchedule = (schedule: Schedule): Schedule => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: schedule.timeZone });
    // Without one, or by an offset, it would be no zone, or that of this machine.
    if (typeof schedule.timeZone !== 'string' || !/^[A-Za-z]/.test(schedule.timeZone))
      throw new RangeError('no name of a zone');
  } catch (cause) {
    throw new ReelError('invalid-argument', {
      expected: 'the name of a time zone, such as Europe/Zurich or UTC',
      got: JSON.stringify(String(schedule.timeZone).slice(0, 80)),
      cause,
    });
  }
  for (const { from, to, days: on } of schedule.windows)
    if (
      !time.test(from) ||
      !time.test(to) ||
      from === '24:00' ||
      on.length === 0 ||
      on.some((day) => !days.includes(day))
    )
      throw new ReelError('invalid-argument', {
        expected: 'windows of days (mon to sun), from a time such as 22:00 to one such as 06:00 or 24:00',
        got: JSON.stringify({ days: on, from, to }).slice(0, 200),
      });
  return schedule;
};

/** Whether a file may say so. */
export const isSchedule = (value: unknown): value is Schedule => {
  try {
    checkSchedule(value as Schedule);
    return true;
  } catch {
    return false;
  }
};

/** A schedule made ready to be asked. */
export class WeekPlan {
  readonly #format: Intl.DateTimeFormat;
  /** Minutes of the week, from Monday 00:00 on; may reach into the next one. */
  readonly #windows: readonly (readonly [number, number])[];

  constructor({ timeZone, windows }: Schedule) {
    this.#format = new Intl.DateTimeFormat('en', {
      ...{ timeZone, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23', era: 'short' },
      ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' },
    });
    this.#windows = windows.flatMap(({ days: on, from, to }) =>
      on.map((day) => {
        const start = days.indexOf(day) * dayMinutes + minutesOf(from);
        const length = (minutesOf(to) - minutesOf(from) + dayMinutes) % dayMinutes;
        return [start, start + (length === 0 ? dayMinutes : length)] as const;
      }),
    );
  }

  /** Whether what the clocks of the zone show at `ms` (Unix) lies in a window. */
  holds(ms: number): boolean {
    return this.#holds(this.#minute(ms, this.#offset(ms)));
  }

  /** The first time after `ms` at which `holds` is otherwise; null: never. */
  next(ms: number): number | null {
    const state = this.holds(ms);
    let at = ms;
    // Each turn ends at a change of the zone's offset; there are few of them within a week.
    for (let turn = 0; turn < 20; turn += 1) {
      const offset = this.#offset(at);
      const minute = this.#minute(at, offset);
      const ahead = this.#windows.flat().map((edge) => {
        const distance = (((edge - minute) % weekMinutes) + weekMinutes) % weekMinutes;
        return distance === 0 ? weekMinutes : distance;
      });
      const first = Math.min(...ahead.filter((distance) => this.#holds(minute + distance) !== state));
      if (!Number.isFinite(first)) return null;
      const found = (Math.floor((at + offset) / minuteMs) + first) * minuteMs - offset;
      const turned = this.#offset(found) === offset ? undefined : this.#turn(at, found, offset);
      if (turned === undefined) return found;
      if (this.holds(turned) !== state) return turned;
      at = turned;
    }
    return null;
  }

  #holds(minute: number): boolean {
    const inWeek = minute % weekMinutes;
    return this.#windows.some(
      ([from, to]) => (inWeek >= from && inWeek < to) || (inWeek + weekMinutes >= from && inWeek + weekMinutes < to),
    );
  }

  /** Of the week; 1 January 1970 was a Thursday. */
  #minute(ms: number, offset: number): number {
    const minutes = Math.floor((ms + offset) / minuteMs) + 3 * dayMinutes;
    return ((minutes % weekMinutes) + weekMinutes) % weekMinutes;
  }

  /** What the zone is ahead of UTC, in milliseconds. */
  #offset(ms: number): number {
    const parts: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(ms)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
  }

  /** When the offset becomes another one between two times, to the minute. */
  #turn(from: number, to: number, offset: number): number {
    let [low, high] = [Math.floor(from / minuteMs), Math.floor(to / minuteMs)];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#offset(middle * minuteMs) === offset) low = middle;
      else high = middle;
    }
    return high * minuteMs;
  }
}
