/** What the verbs of recording understand, and what they say of a stream. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidArgumentError } from 'commander';
import { windowOf } from '../../src/cli/stream-schedule.ts';
import { keptText, scheduleText, stateText, untilText, wantedText } from '../../src/cli/stream-state.ts';
import type { StreamView } from '../../src/http/streams.ts';

const at = Date.UTC(2026, 10, 21, 14);
const view = (change: object): StreamView =>
  ({
    ...{ publishing: false, recording: false, schedule: null, preRecordSeconds: 0, kept: { bytes: 0, since: null } },
    wanted: { record: true, by: 'always', reason: '', since: null, until: null },
    ...change,
  }) as StreamView;
const off = { record: false, by: 'order', reason: 'works', since: at, until: at + 3_600_000 };

test('windows are read', () => {
  assert.deepEqual(windowOf('mon-wed=22:00-06:00'), { days: ['mon', 'tue', 'wed'], from: '22:00', to: '06:00' });
  assert.deepEqual(windowOf('sat,tue=00:00-24:00').days, ['sat', 'tue']);
  assert.deepEqual(windowOf('sat-mon=00:00-24:00').days, ['sat', 'sun', 'mon']);
  assert.equal(windowOf('daily=08:00-09:00').days.length, 7);
  for (const text of ['', 'mon', 'mon=8:00-9:00', 'noday=08:00-09:00', 'mon-tue-wed=08:00-09:00', '=08:00-09:00'])
    assert.throws(() => windowOf(text), InvalidArgumentError, text);
});

test('a stream says what it does, why, and until when', () => {
  assert.equal(stateText(view({ publishing: true, recording: true })), 'recording');
  assert.equal(stateText(view({ publishing: true, wanted: off })), 'not recorded');
  assert.equal(stateText(view({})), 'idle');
  assert.equal(stateText(view({ wanted: off })), 'off');
  assert.equal(wantedText(view({})), 'to be recorded');
  assert.equal(
    wantedText(view({ wanted: off })),
    'not to be recorded by order since 2026-11-21T14:00:00Z until 2026-11-21T15:00:00Z (works)',
  );
  assert.deepEqual([untilText(view({})), untilText(view({ wanted: off }))], ['-', '2026-11-21T15:00:00Z']);
  const schedule = { timeZone: 'UTC', windows: [{ days: ['mon', 'tue'], from: '22:00', to: '06:00' }] };
  assert.equal(scheduleText(view({ schedule })), 'mon, tue 22:00-06:00 (UTC)');
  assert.equal(scheduleText(view({ schedule: { timeZone: 'UTC', windows: [] } })), 'no window (UTC)');
  assert.equal(keptText(view({})), 'none');
  assert.equal(
    keptText(view({ preRecordSeconds: 30, kept: { bytes: 1024 * 1024, since: at } })),
    '30 s; 1 MiB kept since 2026-11-21T14:00:00Z',
  );
});
