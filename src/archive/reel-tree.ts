/** Finds reels by walking `dvr/<stream>/<year>/<month>/<day>`, and only the branches that a range of hours can touch. */
import { hourPath, parseHour } from './reel.ts';

/** Names in a directory beneath the volume's root; empty where the directory does not exist. */
export type ListNames = (path: string) => readonly string[];

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
