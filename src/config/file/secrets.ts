/**
 * Secrets of a configuration: in answers each stands as `(secret 3)`, its number in the file. A text that comes back with such a mark where a
 * secret of the same kind may stand means the one that is there: so a text that was shown can be edited and saved.
 */
import { isMap, isScalar, isSeq, type Node } from 'yaml';
import { ReelError } from '../../errors.ts';
import { configSchema } from '../sections.ts';
import { type KeyPath, type ParsedText, parseConfigText } from './parse.ts';
import { keyOf } from './problem.ts';
import { kindOf, marksAt, type SchemaNode } from './schema-facts.ts';

interface Secret {
  readonly path: KeyPath;
  readonly kind: string;
  readonly value: unknown;
  /** As it stands in the text. */
  readonly source: string;
  readonly start: number;
  readonly end: number;
}

const schema = configSchema as SchemaNode;
const markPattern = /^\(secret (\d{1,6})\)$/;
const markOf = (number: number): string => `(secret ${number})`;
const isSecret = (path: KeyPath): boolean => marksAt(schema, path).secret === true;

/** In the order of the text. Only of a text in which every key is known: of an unknown one nobody knows what it holds. */
const secretsOf = ({ document, text }: ParsedText): readonly Secret[] => {
  const found: Secret[] = [];
  const look = (node: unknown, path: KeyPath): void => {
    if (isMap(node)) for (const { key, value } of node.items) look(value, [...path, String((key as Node).toJSON())]);
    if (isSeq(node)) for (const [index, item] of node.items.entries()) look(item, [...path, index]);
    if (!isScalar(node) || node.value === null || node.value === '' || !isSecret(path)) return;
    const [start, end] = node.range ?? [0, 0];
    found.push({ path, kind: kindOf(schema, path), value: node.value, source: text.slice(start, end), start, end });
  };
  look(document?.contents, []);
  return found.toSorted((a, b) => a.start - b.start);
};

const splice = (text: string, pieces: readonly { start: number; end: number; by: string }[]): string =>
  pieces
    .toSorted((a, b) => b.start - a.start)
    .reduce((all, { start, end, by }) => all.slice(0, start) + by + all.slice(end), text);

/** A block of lines ends with the end of its last line. */
const endOfLine = (source: string): string => (source.endsWith('\n') ? '\n' : '');

/** The text with a mark in the place of each secret; the number that a value has is chosen by `number`. */
const marked = (text: string, number: (value: unknown, index: number) => number): string =>
  splice(
    text,
    secretsOf(parseConfigText(text)).map(({ start, end, source, value }, index) => ({
      ...{ start, end },
      by: JSON.stringify(markOf(number(value, index))) + endOfLine(source),
    })),
  );

export const withoutSecrets = (text: string): string => marked(text, (_value, index) => index + 1);

/** Of two texts: the same number is the same secret, so that a diff shows that one was changed, and not what it is. */
export const bothWithoutSecrets = (before: string, after: string): [before: string, after: string] => {
  const numbers = new Map<unknown, number>();
  const numberOf = (value: unknown): number => {
    const number = numbers.get(value) ?? numbers.size + 1;
    numbers.set(value, number);
    return number;
  };
  return [marked(before, numberOf), marked(after, numberOf)];
};

/** One line that means the same in brackets and outside of them. */
const quoted = ({ source, value }: Secret): string =>
  /^[A-Za-z0-9][\w./:?=&%+~-]*$/.test(source) || /^["'].*["']$/.test(source) ? source : JSON.stringify(value);

const unknownMark = (path: KeyPath, mark: string): ReelError =>
  new ReelError('config-invalid', {
    expected: `the secret itself for ${keyOf(path)}`,
    got: `${mark}, which is none of this kind in the configuration`,
    hint: 'write the secret in the place of the mark, or read the configuration again and edit that',
    details: { key: keyOf(path) },
  });

/** `text` with its marks replaced by the secrets of `current`. Throws `config-invalid` for a mark that means none. */
export const withSecrets = (text: string, current: string): string => {
  const parsed = parseConfigText(text);
  const kept = secretsOf(parseConfigText(current));
  const pieces = secretsOf(parsed).flatMap(({ value, path, kind, start, end, source }) => {
    const number = typeof value === 'string' ? markPattern.exec(value)?.[1] : undefined;
    if (number === undefined) return [];
    const secret = kept[Number(number) - 1];
    if (secret?.kind !== kind) throw unknownMark(path, String(value));
    return [{ start, end, by: quoted(secret) + endOfLine(source) }];
  });
  return splice(text, pieces);
};

/** Values with a mark in the place of each secret; without numbers, as there is no text. */
export const valuesWithoutSecrets = (values: unknown, path: KeyPath = []): unknown => {
  if (Array.isArray(values)) return values.map((value, index) => valuesWithoutSecrets(value, [...path, index]));
  if (typeof values === 'object' && values !== null)
    return Object.fromEntries(
      Object.entries(values).map(([key, value]) => [key, valuesWithoutSecrets(value, [...path, key])]),
    );
  return values !== '' && values !== null && isSecret(path) ? '(secret)' : values;
};
