/** The search of the ingest bench. */

export interface SearchBounds {
  readonly first: number;
  readonly step: number;
  readonly most: number;
}

/**
 * The largest multiple of the step for which `holds` says so twice: up from `first` as long as it holds, else down to the first one that
 * does. 0 where none does. A number that held once and not again does not count.
 */
export const mostThatHold = async (
  { first, step, most }: SearchBounds,
  holds: (count: number) => Promise<boolean>,
): Promise<number> => {
  let count = first;
  if (await holds(count)) {
    while (count + step <= most && (await holds(count + step))) count += step;
    if (await holds(count)) return count;
    count -= step;
  } else count -= step;
  for (; count > 0; count -= step) if ((await holds(count)) && (await holds(count))) return count;
  return 0;
};
