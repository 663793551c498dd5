/** What the parts of a playback URL mean. Anything that does not mean something throws; nothing here touches a file. */
import { parseHour } from '../archive/reel.ts';
import { ReelError } from '../errors.ts';

/** The longest stretch one archive playlist covers: its indexes are read for it. */
export const maxDurationSeconds = 31 * 86_400;

/** 253402300799 is the last second of the year 9999, which is as far as reels have names. */
const lastSecond = 253_402_300_799;

const invalid = (expected: string, got: string): ReelError =>
  new ReelError('invalid-argument', { expected, got: JSON.stringify(got.slice(0, 80)) });

/** A count of seconds or bytes without sign, fraction or leading zeros, at most `most`. */
const count = (text: string, most: number, what: string): number => {
  const value = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= most)) throw invalid(`${what} as a whole number up to ${most}`, text);
  return value;
};

export type PlaylistAddress =
  | { readonly kind: 'live' }
  | { readonly kind: 'archive'; readonly fromUs: number; readonly toUs: number }
  | { readonly kind: 'event'; readonly fromUs: number };

/** `index`, `archive-<from>-<duration>`, `archive-<from>-now`: the name of a playlist without `.m3u8`. `not-found` for other names. */
export const parsePlaylistName = (name: string): PlaylistAddress => {
  if (name === 'index') return { kind: 'live' };
  const match = /^archive-([^-]*)-([^-]*)$/.exec(name);
  if (match === null)
    throw new ReelError('not-found', {
      expected: 'index.m3u8, archive-<from>-<duration>.m3u8 or archive-<from>-now.m3u8',
      got: JSON.stringify(name.slice(0, 80)),
    });
  const [, from = '', duration = ''] = match;
  const fromSeconds = count(from, lastSecond, 'the start in Unix seconds');
  if (duration === 'now') return { kind: 'event', fromUs: fromSeconds * 1e6 };
  const seconds = count(duration, maxDurationSeconds, 'the duration in seconds');
  if (seconds === 0) throw invalid('a duration of at least one second', duration);
  return { kind: 'archive', fromUs: fromSeconds * 1e6, toUs: Math.min(fromSeconds + seconds, lastSecond) * 1e6 };
};

export interface ReelParams {
  readonly year: string;
  readonly month: string;
  readonly day: string;
  readonly hour: string;
}

export const parseReelParams = (params: ReelParams): number => {
  const { year, month, day, hour } = params;
  const found = parseHour(year, month, day, hour);
  if (found === undefined) throw invalid('an hour as yyyy/mm/dd/hh', `${year}/${month}/${day}/${hour}`);
  return found;
};

/** `<offset>-<length>`: which bytes of the reel. */
export const parseSegmentName = (name: string): { offset: number; length: number } => {
  const [offset = '', length = '', ...rest] = name.split('-');
  if (rest.length > 0) throw invalid('<offset>-<length>', name);
  return {
    offset: count(offset, Number.MAX_SAFE_INTEGER, 'the offset'),
    length: count(length, Number.MAX_SAFE_INTEGER, 'the length'),
  };
};

/** A time of a query in Unix seconds, as µs. */
export const parseSeconds = (text: string, what: string): number => count(text, lastSecond, what) * 1e6;
