/** Arithmetic that the benches share. */

export const median = (figures: readonly number[]): number => {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
};

/** The smallest figure that at least `share` of them do not exceed. */
export const percentile = (figures: readonly number[], share: number): number => {
  const sorted = figures.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1))] ?? Number.NaN;
};

export const rounded = (figure: number, digits = 2): number => Number(figure.toFixed(digits));

/** Median of `a` over median of `b`. */
export const ratio = (a: readonly number[], b: readonly number[], digits = 2): number =>
  rounded(median(a) / median(b), digits);

/**
 * Measures each contender once a round, and another one first each round, so that none always runs after the same neighbour. Answers
 * what was measured, by name and in the order of the rounds.
 */
export const alternate = async <Name extends string, Figure>(
  rounds: number,
  names: readonly Name[],
  measure: (name: Name, round: number) => Promise<Figure>,
): Promise<Record<Name, Figure[]>> => {
  const all = Object.fromEntries(names.map((name) => [name, [] as Figure[]])) as Record<Name, Figure[]>;
  for (let round = 0; round < rounds; round += 1)
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(round + turn) % names.length] as Name;
      all[name].push(await measure(name, round));
    }
  return all;
};
