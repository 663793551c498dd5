/** Finds reels by walking `dvr/<stream>/<year>/<month>/<day>`, and only the branches that a range of hours can touch. */
import { hourPath, parseHour } from './reel.ts';
import type { ListNames } from './volume-files.ts';

const sorted = (names: readonly string[], pattern: RegExp): string[] =>
  names.filter((name) => pattern.test(name)).sort();

/** The hours from `first` to `last` (both included) for which the stream has an index, in order; `newestFirst` turns it round. */
export function* reelHours(
  list: ListNames,
  stream: string,
  first: number,
  last: number,
  newestFirst = false,
): Generator<number> {
  const low = hourPath(first);
  const high = hourPath(last);
  const within = (branch: string): boolean =>
    branch >= low.slice(0, branch.length) && branch <= high.slice(0, branch.length);
  const walk = function* (branch: string): Generator<number> {
    const depth = branch === '' ? 0 : branch.split('/').length;
    const names = sorted(
      list(`dvr/${stream}${branch === '' ? '' : `/${branch}`}`),
      [/^\d{4}$/, /^\d\d$/, /^\d\d$/][depth] ?? /^\d\d\.idx$/,
    );
    for (const name of newestFirst ? names.reverse() : names) {
      const next = `${branch === '' ? '' : `${branch}/`}${name.replace('.idx', '')}`;
      if (!within(next)) continue;
      if (depth < 3) yield* walk(next);
      else {
        const [year = '', month = '', day = '', hour = ''] = next.split('/');
        const found = parseHour(year, month, day, hour);
        if (found !== undefined) yield found;
      }
    }
  };
  yield* walk('');
}

/** The first hour that no reel in this directory of a stream (`dvr/cam`, `dvr/cam/2026/11` …) can be of. */
export const hourBehind = (directory: string): number => {
  const [year, month, day] = directory.split('/').slice(2).map(Number);
  if (year === undefined) return Number.POSITIVE_INFINITY;
  if (month === undefined) return Date.UTC(year + 1, 0) / 3_600_000;
  return (day === undefined ? Date.UTC(year, month) : Date.UTC(year, month - 1, day + 1)) / 3_600_000;
};
