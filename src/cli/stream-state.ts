/** What a stream does, and why, in words. */
import { formatBytes } from '../config/size.ts';
import type { StreamView } from '../http/streams.ts';
import { formatInstant } from './times.ts';

/** `recording`; `not recorded`: somebody sends it; `idle`: nobody sends it; `off`: nobody does, and it would not be recorded. */
export const stateText = ({ publishing, recording, wanted }: StreamView): string => {
  if (recording) return 'recording';
  if (publishing) return 'not recorded';
  return wanted.record ? 'idle' : 'off';
};

const causes = { always: '', order: 'by order', schedule: 'by its schedule' } as const;

/** Whether it is to be recorded, what says so, and until when. */
export const wantedText = ({ wanted }: StreamView): string => {
  const { record, by, reason, since, until } = wanted;
  return [
    record ? 'to be recorded' : 'not to be recorded',
    causes[by],
    since === null ? '' : `since ${formatInstant(since / 1000)}`,
    until === null ? '' : `until ${formatInstant(until / 1000)}`,
    reason === '' ? '' : `(${reason})`,
  ]
    .filter((part) => part !== '')
    .join(' ');
};

/** When that changes by itself. */
export const untilText = ({ wanted: { until } }: StreamView): string =>
  until === null ? '-' : formatInstant(until / 1000);

/** `mon, tue 22:00-06:00; sat 00:00-24:00 (Europe/Zurich)`. */
export const scheduleText = ({ schedule }: StreamView): string => {
  if (schedule === null) return 'none';
  const windows = schedule.windows.map(({ days, from, to }) => `${days.join(', ')} ${from}-${to}`);
  return `${windows.length === 0 ? 'no window' : windows.join('; ')} (${schedule.timeZone})`;
};

/** What a recording would begin with. */
export const keptText = ({ preRecordSeconds, kept }: StreamView): string => {
  if (preRecordSeconds === 0) return 'none';
  const since = kept.since === null ? '' : ` since ${formatInstant(kept.since / 1000)}`;
  return `${preRecordSeconds} s; ${formatBytes(kept.bytes)} kept${since}`;
};
