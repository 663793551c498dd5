/** Which keys two configurations differ in, and what that means for the service. */
import { isDeepStrictEqual } from 'node:util';
import { type Config, configSchema } from '../sections.ts';
import type { KeyPath } from './parse.ts';
import { keyOf } from './problem.ts';
import { marksAt, type SchemaNode } from './schema-facts.ts';
import { valuesWithoutSecrets } from './secrets.ts';

export interface Difference {
  /** Dotted; of a list, the list. */
  readonly key: string;
  /** A mark in the place of a secret; null where there was, or is, nothing. */
  readonly from: unknown;
  readonly to: unknown;
  /** What the environment holds is changed in the file only. */
  readonly applies: 'at once' | 'at the next start' | 'not while the environment sets it';
  /** Could cut the admin off. */
  readonly risky: boolean;
}

const schema = configSchema as SchemaNode;

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const differing = (before: unknown, after: unknown, path: KeyPath): KeyPath[] => {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isMap(before) || !isMap(after)) return [path];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
    differing(before[key], after[key], [...path, key]),
  );
};

const at = (value: unknown, path: KeyPath): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value);

/** `overridden`: dotted keys that the environment holds. */
export const differencesOf = (
  before: Config,
  after: Config,
  overridden: ReadonlyMap<string, unknown> = new Map(),
): Difference[] =>
  differing(before, after, []).map((path) => {
    const { risky = false, applies } = marksAt(schema, path);
    const when = applies === undefined ? 'at once' : 'at the next start';
    const key = keyOf(path);
    return {
      key,
      from: valuesWithoutSecrets(at(before, path), path) ?? null,
      to: valuesWithoutSecrets(at(after, path), path) ?? null,
      applies: overridden.has(key) ? 'not while the environment sets it' : when,
      risky,
    };
  });
