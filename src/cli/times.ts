/** Points and lengths of time as people type them, and as they read them. */
import { InvalidArgumentError } from 'commander';

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** `90m`, `12h`, `30d`, `2w`: seconds. */
export const duration = (text: string): number => {
  const [, number, unit = ''] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError('a length of time such as 90m, 12h, 30d or 2w');
  return Number(number) * (unitSeconds[unit] ?? Number.NaN);
};

/** `2026-11-21T14:00:00Z`, or Unix seconds: Unix seconds. A date and time needs its zone: nobody's local time is meant by chance. */
export const instant = (text: string): number => {
  if (/^\d{1,12}(\.\d{1,6})?$/.test(text)) return Number(text);
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new InvalidArgumentError('a time such as 2026-11-21T14:00:00Z, or Unix seconds');
  return ms / 1000;
};

export const formatInstant = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

/** `30d`, `36h`: the largest unit that fits. */
export const formatDuration = (seconds: number): string => {
  const fit = Object.entries(unitSeconds).findLast(([unit, each]) => unit !== 'w' && seconds % each === 0);
  return fit === undefined ? `${seconds}s` : `${seconds / fit[1]}${fit[0]}`;
};
