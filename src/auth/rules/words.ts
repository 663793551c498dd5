/** Lists of the rules: `get,put`, `*`, or the same as a YAML list. */

export type Words = string | readonly string[];

export const listOf = (words: Words | undefined): readonly string[] =>
  [words ?? []]
    .flat()
    .flatMap((text) => text.split(','))
    .map((word) => word.trim())
    .filter((word) => word !== '');

/** How closely a word names the value: 0 not at all, 1 as `*`, then as `volumes/*`, most as itself. */
export const closeness = (word: string, value: string): number => {
  if (word === value) return Number.MAX_SAFE_INTEGER;
  if (word === '*') return 1;
  return word.endsWith('/*') && value.startsWith(word.slice(0, -1)) ? word.length : 0;
};

export interface Named {
  readonly word: string;
  readonly closeness: number;
}

/** The word that names the value most closely. */
export const closest = (words: readonly string[], value: string): Named | undefined => {
  let best: Named | undefined;
  for (const word of words) {
    const near = closeness(word, value);
    if (near > (best?.closeness ?? 0)) best = { word, closeness: near };
  }
  return best;
};

/** `true` and `*` say yes, `false` says no, nothing says nothing. */
export const yesOf = (word: boolean | '*' | undefined): boolean | undefined => (word === '*' ? true : word);

/** What a pair such as allow-web and deny-web says. */
export const sideOf = (yes: boolean | '*' | undefined, no: boolean | '*' | undefined): boolean | undefined => {
  const denied = yesOf(no);
  return denied === undefined ? yesOf(yes) : !denied;
};
