/** The text of a configuration file as values, each of which knows where it stands. */
import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';
import { lexicalFault } from './lexical.ts';
import { keyOf, type Problem } from './problem.ts';
import { yamlWords } from './yaml-words.ts';

export type KeyPath = readonly (string | number)[];

export interface ParsedText {
  readonly text: string;
  /** Undefined where the text was refused before it was parsed. */
  readonly document: Document.Parsed | undefined;
  /** Empty for an empty text, and where there are problems. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly problems: readonly Problem[];
  /** Where the key, or the item of a list, stands; of one that is not there, what would hold it. */
  readonly place: (path: KeyPath) => Pick<Problem, 'line' | 'column'>;
}

/** In bytes. Some hundred users fit; what takes seconds to parse does not. */
export const longestText = 128 * 1024;

/** More would be one fault many times. */
const mostFaults = 20;

const options = { schema: 'core', uniqueKeys: false, stringKeys: true, merge: false, prettyErrors: false } as const;

type Tell = (offset: number, path: KeyPath, expected: string, got: string) => void;

/** Of the parser's own test for doubles the cost is the square of the number of keys. */
const findDoubles = (node: unknown, path: KeyPath, tell: Tell): void => {
  if (isSeq(node)) for (const [index, item] of node.items.entries()) findDoubles(item, [...path, index], tell);
  if (!isMap(node)) return;
  const seen = new Set<string>();
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? String(key.value) : '';
    const here = [...path, name];
    const offset = (key as Node | null)?.range?.[0] ?? 0;
    if (seen.has(name)) tell(offset, here, 'each key once', 'it again');
    // No key is called so, and a program that is careless with it can be led astray.
    if (name === '__proto__') tell(offset, here, 'another key', 'this one');
    seen.add(name);
    findDoubles(value, here, tell);
  }
};

const pairOf = (map: YAMLMap, key: string | number) =>
  map.items.find((pair) => isScalar(pair.key) && pair.key.value === key);

/** Offset of the last part of the path that is there. */
const offsetOf = (document: Document.Parsed, path: KeyPath): number => {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0] ?? 0;
  for (const part of path) {
    const pair = isMap(node) ? pairOf(node as YAMLMap, String(part)) : undefined;
    const next: unknown = pair?.value ?? (isSeq(node) ? node.items[Number(part)] : undefined);
    const at = ((pair?.key ?? next) as Node | undefined)?.range?.[0];
    if (at === undefined) break;
    offset = at;
    node = next;
  }
  return offset;
};

/** The parser makes an error of each comma too many: without its stack, which is most of the cost. */
const parsed = (text: string): Document.Parsed => {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return parseDocument(text, options);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
};

/** A document without keys is a configuration without any. */
const valuesOf = (document: Document.Parsed): unknown => document.toJS({ maxAliasCount: 0 }) ?? {};

export const parseConfigText = (text: string): ParsedText => {
  const problems: Problem[] = [];
  const lines = new LineCounter();
  // The first look knows no lines yet.
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
  const placeAt = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const tell: Tell = (offset, path, expected, got) =>
    problems.push({ ...placeAt(offset), key: keyOf(path), expected, got });
  const refused = { text, document: undefined, values: {}, problems, place: () => ({ line: null, column: null }) };

  const fault = lexicalFault(text);
  if (fault !== undefined) {
    tell(fault.offset, [], fault.expected, fault.got);
    return refused;
  }
  const document = parsed(text);
  const faults = [...document.errors, ...document.warnings].slice(0, mostFaults);
  for (const { code, pos } of faults) tell(pos[0], [], ...yamlWords(code));
  if (problems.length > 0) return refused;
  findDoubles(document.contents, [], tell);
  const values = valuesOf(document);
  const place = (path: KeyPath) => placeAt(offsetOf(document, path));
  if (typeof values !== 'object' || Array.isArray(values)) {
    tell(0, [], 'sections: a name, a colon, and keys below it', Array.isArray(values) ? 'a list' : 'a single value');
    return refused;
  }
  return { text, document, values: values as Record<string, unknown>, problems, place };
};
