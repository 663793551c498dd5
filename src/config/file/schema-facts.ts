/** What the schema of the file says of a key: its marks hold for all below. */
import type { Marks } from '../sections/section.ts';
import type { KeyPath } from './parse.ts';

/** As much of a schema as is looked at here. */
export interface SchemaNode extends Marks {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly allOf?: readonly SchemaNode[];
}

const branches = (node: SchemaNode): readonly SchemaNode[] =>
  [...(node.anyOf ?? []), ...(node.allOf ?? [])].flatMap((branch) => [branch, ...branches(branch)]);

const childrenOf = (node: SchemaNode, key: string | number): readonly SchemaNode[] => {
  const named = Object.entries(node.patternProperties ?? {}).filter(([pattern]) => new RegExp(pattern).test(`${key}`));
  const own = Object.hasOwn(node.properties ?? {}, key) ? node.properties?.[key] : undefined;
  const other = typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined;
  const found = own ?? named[0]?.[1] ?? other ?? node.items;
  return found === undefined ? [] : [found, ...branches(found)];
};

/** Marks of the key, from itself and from all above it. */
export const marksAt = (schema: SchemaNode, path: KeyPath): Marks => {
  let nodes: readonly SchemaNode[] = [schema, ...branches(schema)];
  const passed = [...nodes];
  for (const key of path) {
    nodes = nodes.flatMap((node) => childrenOf(node, key));
    passed.push(...nodes);
  }
  return {
    ...(passed.some(({ secret }) => secret === true) ? { secret: true } : {}),
    ...(passed.some(({ risky }) => risky === true) ? { risky: true } : {}),
    ...(passed.some(({ applies }) => applies !== undefined) ? { applies: 'next start' } : {}),
  };
};

const below = (node: SchemaNode): readonly SchemaNode[] => {
  const { properties = {}, patternProperties = {}, additionalProperties: more, items, anyOf = [], allOf = [] } = node;
  const named = [...Object.values(properties), ...Object.values(patternProperties), ...anyOf, ...allOf];
  return [...named, ...(typeof more === 'object' ? [more] : []), ...(items === undefined ? [] : [items])];
};

const holds = (node: SchemaNode): boolean => node.secret === true || below(node).some(holds);

/** Whether a secret may stand there, or anywhere below: a value that is wrong there is not quoted. */
export const mayHoldSecret = (schema: SchemaNode, path: KeyPath): boolean => {
  if (marksAt(schema, path).secret === true) return true;
  let nodes: readonly SchemaNode[] = [schema, ...branches(schema)];
  for (const key of path) nodes = nodes.flatMap((node) => childrenOf(node, key));
  return nodes.some(holds);
};

/** The key as the schema knows it: names that an admin chose, and numbers of items, become a star. */
export const kindOf = (schema: SchemaNode, path: KeyPath): string => {
  let nodes: readonly SchemaNode[] = [schema, ...branches(schema)];
  const parts = path.map((key) => {
    const isNamed = nodes.some(({ properties = {} }) => Object.hasOwn(properties, key));
    nodes = nodes.flatMap((node) => childrenOf(node, key));
    return isNamed ? String(key) : '*';
  });
  return parts.join('.');
};
