/** Numbers out of GET /metrics: a histogram's quantile between two scrapes. */

/** Samples by their series, without the prefix of the service. */
export type Samples = ReadonlyMap<string, number>;

export const samplesOf = (page: string): Samples =>
  new Map(
    page
      .split('\n')
      .filter((line) => line.startsWith('reelvault_'))
      .map((line) => {
        const space = line.lastIndexOf(' ');
        return [line.slice('reelvault_'.length, space), Number(line.slice(space + 1))] as const;
      }),
  );

export const sumOf = (samples: Samples, name: string): number =>
  [...samples].filter(([series]) => series.startsWith(`${name}{`)).reduce((sum, [, value]) => sum + value, 0);

/**
 * Upper bound of the bucket in which the quantile lies, of what was observed between two scrapes. Infinity beyond the last bucket, NaN where
 * nothing was observed.
 */
export const quantile = (before: Samples, after: Samples, name: string, share: number): number => {
  const buckets = [...after]
    .map(([series, value]) => ({ bound: /_bucket\{le="([^"]+)"\}$/.exec(series)?.[1], series, value }))
    .filter(({ series, bound }) => bound !== undefined && series.startsWith(`${name}_bucket{`))
    .map(({ bound, series, value }) => ({
      bound: bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound),
      count: value - (before.get(series) ?? 0),
    }))
    .sort((a, b) => a.bound - b.bound);
  const all = buckets.at(-1)?.count ?? 0;
  if (all === 0) return Number.NaN;
  return buckets.find(({ count }) => count >= all * share)?.bound ?? Number.POSITIVE_INFINITY;
};
