/** Asks the schedules of streams, and remembers their answers: zones are slow to ask, and asked once a second. */
import type { OffTime, Scheduled } from './recording-rules.ts';
import { type Schedule, WeekPlan } from './schedule.ts';

interface Known extends Scheduled {
  readonly plan: WeekPlan;
  /** Asked at this time; holds until `until`. */
  readonly from: number;
}

/** How many changes of a schedule are looked at for one gap; most of a year, with two a day. */
const mostChanges = 500;
const dayMs = 86_400_000;

export class Scheduler {
  readonly #known = new WeakMap<Schedule, Known>();

  at(schedule: Schedule, now: number): Scheduled {
    const known = this.#known.get(schedule);
    if (known !== undefined && now >= known.from && (known.until === null || now < known.until)) return known;
    const plan = known?.plan ?? new WeekPlan(schedule);
    const next = { plan, from: now, inWindow: plan.holds(now), until: plan.next(now) };
    this.#known.set(schedule, next);
    return next;
  }

  /** The times without a window between two times, as far as they are looked at. */
  off(schedule: Schedule, from: number, to: number): { readonly from: number; readonly to: number }[] {
    const { plan } = this.at(schedule, to) as Known;
    const times: { from: number; to: number }[] = [];
    let at = from;
    let inWindow = plan.holds(from);
    for (let count = 0; count < mostChanges && at < to; count += 1) {
      const next = Math.min(plan.next(at) ?? to, to);
      if (!inWindow) times.push({ from: at, to: next });
      inWindow = !inWindow;
      at = next;
    }
    return times;
  }

  /** The newest time without a window since the schedule was set; null where there was none within two weeks. */
  newestOff(schedule: Schedule & { readonly setAt: number }, now: number): OffTime | null {
    const { setAt } = schedule;
    // Little first: with many windows a day, two weeks are more changes than are looked at, and the newest comes last.
    for (const days of [1, 2, 4, 8]) {
      const from = now - days * dayMs;
      if (from <= setAt) break;
      const newest = this.off(schedule, from, now).at(-1);
      if (newest !== undefined && newest.from > from) return newest;
    }
    return this.off(schedule, Math.max(setAt, now - 14 * dayMs), now).at(-1) ?? null;
  }
}
