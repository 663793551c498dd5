/** Sets keys in the text of a configuration; comments, order and spelling of the rest stay. */
import { isDeepStrictEqual } from 'node:util';
import { type Document, isMap, isScalar, type Node, parseDocument, Scalar } from 'yaml';
import { ReelError } from '../../errors.ts';
import { type KeyPath, type ParsedText, parseConfigText } from './parse.ts';
import { keyOf } from './problem.ts';

/** As RFC 7396 has it: what is left out stays, null takes a key away, a list is replaced as a whole. */
export type MergePatch = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a patch makes of a value; without a value, a patch without its nulls. */
const merged = (value: unknown, patch: unknown): unknown => {
  if (!isObject(patch)) return patch;
  const result = new Map(Object.entries(isObject(value) ? value : {}));
  for (const [key, part] of Object.entries(patch)) {
    if (part === null) result.delete(key);
    else result.set(key, merged(result.get(key), part));
  }
  return Object.fromEntries(result);
};

interface Step {
  readonly path: KeyPath;
  /** `null` takes the key away. */
  readonly value: unknown;
}

const stepsOf = (patch: MergePatch, path: KeyPath = []): Step[] =>
  Object.entries(patch).flatMap(([key, value]) => {
    const here = [...path, key];
    if (!isObject(value)) return [{ path: here, value }];
    return Object.keys(value).length === 0 ? [{ path: here, value: {} }] : stepsOf(value, here);
  });

const isPlain = (value: unknown): boolean => !isObject(value) && !Array.isArray(value) && value !== null;

/** Without quotes where it means the same: in brackets and outside of them. */
const spelt = (value: unknown): string => {
  const text = String(value);
  const isWord = typeof value === 'string' && /^[A-Za-z0-9/][\w./:-]*$/.test(text) && !text.endsWith(':');
  return isWord && parseConfigText(`value: ${text}`).values.value === value ? text : JSON.stringify(value);
};

/** A value on one line is replaced where it stands: not a space of the rest changes. Undefined where that is not enough. */
const replacedInPlace = (text: string, { path, value }: Step): string | undefined => {
  const node = parseConfigText(text).document?.getIn(path, true);
  if (!isPlain(value) || !isScalar(node) || node.value === null || node.range == null) return undefined;
  if (node.type !== Scalar.PLAIN && node.type !== Scalar.QUOTE_DOUBLE && node.type !== Scalar.QUOTE_SINGLE)
    return undefined;
  const [start, end] = node.range;
  return text.slice(start, end).includes('\n') ? undefined : text.slice(0, start) + spelt(value) + text.slice(end);
};

/** `tuning:` with nothing below it cannot take a key before it is a map; its comment stays. */
const makeMaps = (document: Document.Parsed, path: KeyPath): void => {
  for (let depth = 1; depth < path.length; depth += 1) {
    const node = document.getIn(path.slice(0, depth), true) as Node | undefined;
    if (node === undefined || isMap(node)) continue;
    const map = document.createNode({});
    if (node.comment != null) map.commentBefore = node.comment;
    document.setIn(path.slice(0, depth), map);
  }
};

const rewritten = (text: string, { path, value }: Step): string => {
  const document = parseDocument(text, { schema: 'core', uniqueKeys: false, stringKeys: true });
  if (value === null) {
    if (!document.hasIn(path)) return text;
    document.deleteIn(path);
  } else {
    makeMaps(document, path);
    document.setIn(path, document.createNode(value));
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
};

/** Throws `config-invalid` for a text that cannot be edited: it must be without problems. */
export const patchText = (parsed: ParsedText, patch: MergePatch): string => {
  if (parsed.problems.length > 0)
    throw new ReelError('config-invalid', {
      expected: 'a configuration file that is well-formed',
      got: 'one with problems',
      hint: 'mend it as a whole first: `reelvault config validate` lists them',
    });
  const wanted = merged(parsed.values, patch);
  const text = stepsOf(patch).reduce(
    (before, step) => replacedInPlace(before, step) ?? rewritten(before, step),
    parsed.text,
  );
  if (isDeepStrictEqual(merged({}, parseConfigText(text).values), wanted)) return text;
  throw new ReelError('invalid-argument', {
    expected: 'keys that can be set one by one',
    got: stepsOf(patch)
      .map(({ path }) => keyOf(path))
      .join(', '),
    hint: 'save the whole text in place of that',
  });
};

/** One patch that does what two do, the second after the first. */
export const mergePatch = (first: MergePatch, second: MergePatch): MergePatch => {
  const both = new Map(Object.entries(first));
  for (const [key, value] of Object.entries(second)) {
    const before = both.get(key);
    both.set(key, isObject(before) && isObject(value) ? mergePatch(before, value) : value);
  }
  return Object.fromEntries(both);
};
