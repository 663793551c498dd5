/** What a schema refuses in a file: every fault, each with the place where it stands. */
import type { TSchema } from 'typebox';
import { Settings as TypeBoxSettings } from 'typebox/system';
import Value from 'typebox/value';
import { gotOf, type SchemaFault, wantedBy } from '../schema-words.ts';
import type { KeyPath, ParsedText } from './parse.ts';
import { keyOf, type Problem } from './problem.ts';
import { mayHoldSecret, type SchemaNode } from './schema-facts.ts';

/** More would be one fault many times. */
const most = 100;

type TypeBoxError = ReturnType<typeof Value.Errors>[number];

const errorsOf = (schema: TSchema, value: unknown): readonly TypeBoxError[] => {
  const { maxErrors } = TypeBoxSettings.Get();
  TypeBoxSettings.Set({ maxErrors: most });
  try {
    return Value.Errors(schema, value);
  } finally {
    TypeBoxSettings.Set({ maxErrors });
  }
};

const partsOf = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

const schemaAt = (schema: TSchema, schemaPath: string): SchemaNode | undefined => {
  let node: unknown = schema;
  for (const part of partsOf(schemaPath)) node = (node as Record<string, unknown> | undefined)?.[part];
  return node as SchemaNode | undefined;
};

/** Of a choice between forms each branch tells what it misses: only the choice itself is told. */
const withoutBranches = (errors: readonly TypeBoxError[]): readonly TypeBoxError[] => {
  const choices = errors.filter(({ keyword }) => keyword === 'anyOf');
  const isBranch = ({ schemaPath }: TypeBoxError) =>
    choices.some((choice) => schemaPath.startsWith(`${choice.schemaPath}/anyOf/`));
  return errors.filter((error) => !isBranch(error));
};

const wanted = (error: TypeBoxError, schema: SchemaNode | undefined): string => {
  const values = schema?.anyOf?.every((branch) => 'const' in branch) ?? true;
  if (error.keyword === 'anyOf' && !values)
    return schema?.description ?? 'one of the forms that docs/configuration.md has';
  return wantedBy({ ...error, schema } as SchemaFault);
};

/** Names of what would be known there. */
const known = (schema: SchemaNode | undefined): string => Object.keys(schema?.properties ?? {}).join(', ');

const got = (schema: TSchema, path: KeyPath, value: unknown): string => {
  if (mayHoldSecret(schema as SchemaNode, path)) return value === null ? 'nothing' : 'another value';
  if (value === null) return 'nothing';
  if (typeof value !== 'object') return gotOf(keyOf(path), value);
  return Array.isArray(value) ? 'a list' : 'keys below it';
};

const problemsOf = (error: TypeBoxError, schema: TSchema, value: unknown, { place }: ParsedText): Problem[] => {
  const path = partsOf(error.instancePath);
  const at = schemaAt(schema, error.schemaPath);
  const tell = (where: KeyPath, expected: string, found: string): Problem => ({
    ...place(where),
    key: keyOf(where),
    expected,
    got: found,
  });
  if (error.keyword === 'boolean') {
    const parent = schemaAt(schema, error.schemaPath.replace(/\/additionalProperties$/, ''));
    return [tell(path, `one of ${known(parent)}`, 'a key that is none')];
  }
  // The same once more, told of the whole.
  if (error.keyword === 'additionalProperties') return [];
  if (error.keyword === 'required') {
    const names = (error.params as { requiredProperties: string[] }).requiredProperties;
    return names.map((name) => tell([...path, name], 'it to be there', 'nothing'));
  }
  return [tell(path, wanted(error, at), got(schema, path, Value.Pointer.Get(value, error.instancePath)))];
};

/** Empty only where the schema holds. */
export const schemaProblems = (schema: TSchema, value: unknown, parsed: ParsedText): Problem[] => {
  if (Value.Check(schema, value)) return [];
  const problems = withoutBranches(errorsOf(schema, value)).flatMap((error) =>
    problemsOf(error, schema, value, parsed),
  );
  if (problems.length > 0) return problems;
  return [{ ...parsed.place([]), key: '', expected: 'what docs/configuration.md allows', got: 'something else' }];
};
