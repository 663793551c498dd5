/** What differs between two texts, as `diff -u` prints it. */
import { diff } from 'node:util';

/** Lines that are shown around a difference. */
const around = 3;
/** Larger differences are shown as a whole: finding the smallest one takes the square of it. */
const mostLines = 2000;

type Line = readonly [mark: ' ' | '-' | '+', text: string];

const linesOf = (text: string): string[] => {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
};

const removed = (lines: readonly string[]): Line[] => lines.map((text) => ['-', text]);
const added = (lines: readonly string[]): Line[] => lines.map((text) => ['+', text]);

/** Of lines that stand in the place of others, the others come first, as everybody is used to. */
const removedFirst = (lines: readonly Line[]): Line[] => {
  const sorted: Line[] = [];
  let kept = 0;
  for (const line of lines) {
    if (line[0] === '-') {
      let at = sorted.length;
      while (at > kept && sorted[at - 1]?.[0] === '+') at -= 1;
      sorted.splice(at, 0, line);
    } else sorted.push(line);
    if (line[0] === ' ') kept = sorted.length;
  }
  return sorted;
};

const middle = (before: readonly string[], after: readonly string[]): Line[] => {
  if (before.length + after.length > mostLines) return [...removed(before), ...added(after)];
  if (before.length === 0 || after.length === 0) return [...removed(before), ...added(after)];
  const marks = { 0: ' ', 1: '+', [-1]: '-' } as const;
  return removedFirst(diff(after, before).map(([kind, text]): Line => [marks[kind as 0 | 1 | -1], text]));
};

const compare = (before: readonly string[], after: readonly string[]): Line[] => {
  const shorter = Math.min(before.length, after.length);
  let same = 0;
  while (same < shorter && before[same] === after[same]) same += 1;
  let end = 0;
  while (end < shorter - same && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  const kept = (lines: readonly string[]): Line[] => lines.map((text) => [' ', text]);
  const changed = middle(before.slice(same, before.length - end), after.slice(same, after.length - end));
  return [...kept(before.slice(0, same)), ...changed, ...kept(before.slice(before.length - end))];
};

const count = (lines: readonly Line[], mark: '-' | '+'): number =>
  lines.filter(([own]) => own === ' ' || own === mark).length;

const header = (lines: readonly Line[], from: number, to: number): string => {
  const range = (mark: '-' | '+'): string => {
    const length = count(lines.slice(from, to), mark);
    const first = count(lines.slice(0, from), mark) + (length === 0 ? 0 : 1);
    return `${mark}${first}${length === 1 ? '' : `,${length}`}`;
  };
  return `@@ ${range('-')} ${range('+')} @@`;
};

/** Empty where nothing differs. */
export const unifiedDiff = (before: string, after: string): string => {
  const lines = compare(linesOf(before), linesOf(after));
  const changed = lines.flatMap(([mark], index) => (mark === ' ' ? [] : [index]));
  const hunks: [from: number, to: number][] = [];
  for (const index of changed) {
    const last = hunks.at(-1);
    const [from, to] = [Math.max(index - around, 0), Math.min(index + around + 1, lines.length)];
    if (last !== undefined && from <= last[1]) last[1] = to;
    else hunks.push([from, to]);
  }
  return hunks
    .map(([from, to]) =>
      [header(lines, from, to), ...lines.slice(from, to).map(([mark, text]) => `${mark}${text}`)].join('\n'),
    )
    .join('\n');
};
