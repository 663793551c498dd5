/** A stream that is recorded by a schedule: by the clock, whatever is done to it, and an order counts before it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { gapReasonsOf } from '../../src/archive/gap-reasons.ts';
import type { Schedule } from '../../src/recorder/schedule.ts';
import { Scheduler } from '../../src/recorder/scheduler.ts';
import { clip } from '../ingest/clip.ts';
import { Host, until } from '../ingest/host.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-scheduled-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const friday = (time: string): number => Date.parse(`2026-11-20T${time}Z`);
const schedule: Schedule = { timeZone: 'UTC', windows: [{ days: ['fri'], from: '10:00', to: '11:00' }] };

test('recorded within its windows, by the clock of the moment; what lies between them says so', async () => {
  let now = friday('09:00:00');
  const options = { directory, now: () => now };
  let host = await Host.start(options);
  const { bytes } = await clip(4);
  const turn = async (to: number, recording: boolean): Promise<void> => {
    now = to;
    host.recorder.lookAtClock();
    await until(
      `${recording} at ${new Date(to).toISOString()}`,
      () => host.recorder.status('cam').recording === recording,
    );
  };
  try {
    await host.recorder.put('cam', {});
    const view = await host.recorder.schedule('cam', schedule);
    const wanted = { record: false, by: 'schedule', reason: '', since: null, until: friday('10:00:00') };
    assert.deepEqual([view.schedule, view.wanted], [schedule, wanted]);
    let session = await host.recorder.openSession('cam', 'test');
    await turn(friday('09:59:59'), false);
    await turn(friday('10:00:00'), true);
    session.append(bytes);
    await turn(friday('11:00:00'), false);
    await turn(friday('10:30:00'), true); // set back
    await turn(friday('10:30:00') + 3 * 86_400_000, false); // set ahead
    await turn(friday('10:00:30'), true);
    await host.recorder.order('cam', { mode: 'off', until: friday('10:20:00') });
    assert.equal(host.recorder.isRecording('cam'), false);
    await turn(friday('10:20:00'), true);
    await turn(friday('11:00:00'), false);
    await host.recorder.order('cam', { mode: 'on', until: friday('12:00:00') });
    assert.equal(host.recorder.isRecording('cam'), true);
    await turn(friday('12:00:00'), false);
    await session.finish();
    await host.stop();

    now = friday('10:30:00') + 7 * 86_400_000;
    host = await Host.start(options);
    assert.deepEqual((await host.recorder.get('cam')).schedule, schedule);
    session = await host.recorder.openSession('cam', 'test');
    session.append(bytes);
    await session.finish();
    const parts = await Array.fromAsync(host.recorder.archive('cam').parts('cam', 0, Number.MAX_SAFE_INTEGER));
    const segments = parts.flatMap((part) => part.reel.slice(part.first, part.end));
    assert.deepEqual(
      segments.map(({ flags }) => gapReasonsOf(flags)).filter((reasons) => reasons.length > 0),
      [['ordered-off', 'scheduled-off', 'unexplained']],
    );
    await host.recorder.schedule('cam', null);
    assert.deepEqual((await host.recorder.get('cam')).wanted.by, 'always');
  } finally {
    await host.stop();
  }
});

test('a schedule that cannot be followed changes nothing', async () => {
  const host = await Host.start();
  try {
    await assert.rejects(host.recorder.schedule('cam', schedule), { code: 'not-found' });
    await host.recorder.put('cam', {});
    await assert.rejects(host.recorder.schedule('cam', { ...schedule, timeZone: 'Nowhere/Town' }), {
      code: 'invalid-argument',
    });
    assert.equal((await host.recorder.get('cam')).schedule, null);
  } finally {
    await host.stop();
  }
});

test('the times without a window, within two times', () => {
  const scheduler = new Scheduler();
  const told = (from: number, to: number) =>
    scheduler
      .off(schedule, from, to)
      .map((off) => [off.from, off.to].map((ms) => new Date(ms).toISOString().slice(0, 16)));
  assert.deepEqual(told(friday('10:10:00'), friday('10:50:00')), []);
  assert.deepEqual(told(friday('09:00:00'), friday('12:00:00')), [
    ['2026-11-20T09:00', '2026-11-20T10:00'],
    ['2026-11-20T11:00', '2026-11-20T12:00'],
  ]);
  assert.deepEqual(told(friday('10:30:00'), friday('10:30:00') + 7 * 86_400_000), [
    ['2026-11-20T11:00', '2026-11-27T10:00'],
  ]);
});

test('the newest time without a window is found however many windows there are', () => {
  const daily = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
  const hour = (at: number): string => String(at).padStart(2, '0');
  // Every half hour of every day: 96 changes a day.
  const windows = Array.from({ length: 48 }, (_, at) => {
    const [from, to] = at % 2 === 0 ? [':00', ':15'] : [':30', ':45'];
    return { days: daily, from: hour(at >> 1) + from, to: hour(at >> 1) + to };
  });
  const dense = { timeZone: 'UTC', windows };
  const now = friday('12:20:00');
  const newest = (setAt: number, weekly: Schedule = dense) => new Scheduler().newestOff({ ...weekly, setAt }, now);
  assert.deepEqual(newest(0), { from: friday('12:15:00'), to: now });
  assert.deepEqual(newest(friday('12:18:00')), { from: friday('12:18:00'), to: now });
  assert.deepEqual(newest(now), null);
  // Without a break since Saturday noon, and until then as before.
  const broken = windows.map((window) => ({ ...window, days: ['sat'] as const }));
  const rest = { days: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri'] as const, from: '00:00', to: '24:00' };
  const whole = { days: ['sat'] as const, from: '12:00', to: '24:00' };
  const sixDays = { timeZone: 'UTC', windows: [...broken, rest, whole] };
  const saturday = now - 6 * 86_400_000 - 20 * 60_000;
  assert.deepEqual(newest(0, sixDays), { from: saturday - 900_000, to: saturday });
  assert.deepEqual(newest(saturday, sixDays), null);
  // Nothing at all for two weeks, and for as long as it has been set.
  assert.deepEqual(newest(0, { timeZone: 'UTC', windows: [] }), { from: now - 14 * 86_400_000, to: now });
});
