/** Weekly windows in local time, also where clocks are put forward and back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkSchedule, isSchedule, type Schedule, WeekPlan } from '../../src/recorder/schedule.ts';

const utc = (text: string): number => Date.parse(`${text}Z`);
const told = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString().slice(0, 16));
const planOf = (timeZone: string, ...windows: Schedule['windows']): WeekPlan =>
  new WeekPlan(checkSchedule({ timeZone, windows }));

/** All changes from a time on. */
const changes = (plan: WeekPlan, from: string, count: number): (string | null)[] => {
  const list: (string | null)[] = [];
  let at: number | null = utc(from);
  while (at !== null && list.length < count) {
    at = plan.next(at);
    list.push(told(at));
  }
  return list;
};

test('windows of a week, over midnight and over the end of the week', () => {
  const plan = planOf('UTC', { days: ['fri', 'sun'], from: '22:00', to: '06:00' });
  // 2026-11-20 is a Friday.
  assert.equal(plan.holds(utc('2026-11-20T21:59:59')), false);
  assert.equal(plan.holds(utc('2026-11-20T22:00:00')), true);
  assert.equal(plan.holds(utc('2026-11-21T05:59:59')), true);
  assert.equal(plan.holds(utc('2026-11-21T06:00:00')), false);
  assert.equal(plan.holds(utc('2026-11-23T03:00:00')), true, 'Sunday’s window ends on Monday');
  assert.deepEqual(changes(plan, '2026-11-20T12:00', 5), [
    '2026-11-20T22:00',
    '2026-11-21T06:00',
    '2026-11-22T22:00',
    '2026-11-23T06:00',
    '2026-11-27T22:00',
  ]);
});

test('the same time twice is a whole day; windows that touch are one; all of the week never changes', () => {
  const week = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
  assert.equal(planOf('UTC', { days: week, from: '07:00', to: '07:00' }).next(utc('2026-11-20T12:00')), null);
  assert.equal(planOf('UTC', { days: week, from: '00:00', to: '24:00' }).next(utc('2026-11-20T12:00')), null);
  assert.equal(planOf('UTC').next(utc('2026-11-20T12:00')), null);
  assert.equal(planOf('UTC').holds(utc('2026-11-20T12:00')), false);
  const touching = planOf(
    'UTC',
    { days: ['fri'], from: '08:00', to: '12:00' },
    { days: ['fri'], from: '12:00', to: '14:30' },
  );
  assert.deepEqual(changes(touching, '2026-11-20T07:00', 2), ['2026-11-20T08:00', '2026-11-20T14:30']);
});

test('local time counts, also in zones of half hours', () => {
  const plan = planOf('Asia/Kolkata', { days: ['sat'], from: '00:00', to: '01:00' });
  assert.deepEqual(changes(plan, '2026-11-20T12:00', 2), ['2026-11-20T18:30', '2026-11-20T19:30']);
});

test('clocks put forward: a window that begins in the hour that is left out begins behind it, one that lies in it is left out', () => {
  // Europe/Zurich, Sunday 2026-03-29: 02:00 becomes 03:00 at 01:00 UTC.
  const into = planOf('Europe/Zurich', { days: ['sun'], from: '02:30', to: '04:00' });
  assert.deepEqual(changes(into, '2026-03-28T12:00', 2), ['2026-03-29T01:00', '2026-03-29T02:00']);
  const outOf = planOf('Europe/Zurich', { days: ['sun'], from: '01:00', to: '02:30' });
  assert.deepEqual(changes(outOf, '2026-03-28T12:00', 2), ['2026-03-29T00:00', '2026-03-29T01:00']);
  const inside = planOf('Europe/Zurich', { days: ['sun'], from: '02:10', to: '02:50' });
  assert.deepEqual(changes(inside, '2026-03-28T12:00', 2), ['2026-04-05T00:10', '2026-04-05T00:50']);
  const around = planOf('Europe/Zurich', { days: ['sat'], from: '22:00', to: '06:00' });
  assert.deepEqual(changes(around, '2026-03-28T12:00', 2), ['2026-03-28T21:00', '2026-03-29T04:00'], '7 hours long');
});

test('clocks put back: what they show twice holds twice', () => {
  // Europe/Zurich, Sunday 2026-10-25: 03:00 becomes 02:00 at 01:00 UTC.
  const inside = planOf('Europe/Zurich', { days: ['sun'], from: '02:10', to: '02:50' });
  assert.deepEqual(changes(inside, '2026-10-24T12:00', 4), [
    '2026-10-25T00:10',
    '2026-10-25T00:50',
    '2026-10-25T01:10',
    '2026-10-25T01:50',
  ]);
  const around = planOf('Europe/Zurich', { days: ['sat'], from: '22:00', to: '06:00' });
  assert.deepEqual(changes(around, '2026-10-24T12:00', 2), ['2026-10-24T20:00', '2026-10-25T05:00'], '9 hours long');
  const from = planOf('Europe/Zurich', { days: ['sun'], from: '02:30', to: '04:00' });
  assert.deepEqual(changes(from, '2026-10-24T12:00', 4), [
    '2026-10-25T00:30',
    '2026-10-25T01:00',
    '2026-10-25T01:30',
    '2026-10-25T03:00',
  ]);
});

test('the next change is where a minute-by-minute look finds it, all around the changes of a year', () => {
  const plan = planOf(
    'America/New_York',
    { days: ['mon', 'wed', 'sun'], from: '23:17', to: '02:31' },
    { days: ['sun', 'sat'], from: '01:45', to: '02:15' },
  );
  for (const from of ['2026-03-01T00:00', '2026-10-25T00:00']) {
    let at = utc(from);
    const end = at + 15 * 86_400_000;
    let state = plan.holds(at);
    let next = plan.next(at);
    for (; at < end; at += 60_000) {
      const now = plan.holds(at);
      if (now === state) continue;
      assert.equal(told(next), told(at));
      state = now;
      next = plan.next(at);
    }
  }
});

test('what none can follow is refused', () => {
  const window = { days: ['mon'] as const, from: '08:00', to: '10:00' };
  const refused = (schedule: object) =>
    assert.throws(() => checkSchedule({ timeZone: 'UTC', windows: [window], ...schedule } as Schedule), {
      code: 'invalid-argument',
    });
  refused({ timeZone: 'Mars/Olympus' });
  refused({ timeZone: '+02:00' });
  refused({ timeZone: '' });
  for (const change of [
    { from: '8:00' },
    { from: '24:00' },
    { to: '24:01' },
    { to: '25:00' },
    { days: [] },
    { days: ['someday'] },
  ])
    refused({ windows: [{ ...window, ...change }] });
});

test('a file that says no zone, or anything else but a schedule, holds none', () => {
  const windows = [{ days: ['mon'], from: '08:00', to: '10:00' }];
  assert.equal(isSchedule({ timeZone: 'UTC', windows }), true);
  for (const value of [{ windows }, { timeZone: ['UTC'], windows }, { timeZone: 'UTC' }, null, 'UTC', []])
    assert.equal(isSchedule(value), false, JSON.stringify(value));
});
