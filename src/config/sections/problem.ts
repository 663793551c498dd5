/** What is wrong in the configuration, and where. Values of secrets never stand in it. */
import type { TSchema } from 'typebox';
import Value from 'typebox/value';
import { gotOf, type SchemaFault, wantedBy } from '../schema-words.ts';

export interface Problem {
  /** JSON pointer. */
  readonly path: string;
  readonly expected: string;
  readonly got: string;
}

interface Fault extends SchemaFault {
  readonly instancePath: string;
  readonly schemaPath: string;
}

const at = (whole: unknown, pointer: string): unknown =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((inner, part) => (inner as Record<string, unknown> | undefined)?.[part], whole);

/** Of a choice every branch says why it does not fit; what was asked for is told by the choice as a whole. */
const choiceOf = (fault: Fault, schema: TSchema, value: unknown, from: string): Problem | undefined => {
  const root = /^(.*?)\/anyOf(?:\/|$)/.exec(
    fault.keyword === 'anyOf' ? `${fault.schemaPath}/anyOf` : fault.schemaPath,
  )?.[1];
  if (root === undefined) return undefined;
  const { description = 'something else' } = (at(schema, root) ?? {}) as { description?: string };
  // Branches may name an item of a list; the list is what the choice is about.
  const inside = /\/anyOf\/\d+\/items/.test(fault.schemaPath);
  const place = inside ? fault.instancePath.replace(/\/\d+$/, '') : fault.instancePath;
  return {
    path: `${from}${place}`,
    expected: description,
    got: gotOf(place.slice(place.lastIndexOf('/') + 1), at(value, place)),
  };
};

const told = (fault: Fault, schema: TSchema, value: unknown, from: string): Problem[] => {
  const { keyword, params, message, instancePath, schemaPath } = fault;
  const path = `${from}${instancePath}`;
  const own = at(schema, schemaPath) as (SchemaFault['schema'] & { properties?: object; secret?: true }) | undefined;
  if (keyword === 'required')
    return (params.requiredProperties as string[]).map((name) => ({
      path,
      expected: name,
      got: 'nothing of that name',
    }));
  if (keyword === 'additionalProperties') {
    const known = Object.keys(own?.properties ?? {}).join(', ');
    const expected = known === '' ? 'no option at all' : `nothing but ${known}`;
    return (params.additionalProperties as string[]).map((got) => ({ path, expected, got }));
  }
  const field = path.slice(path.lastIndexOf('/') + 1);
  const expected = wantedBy({ keyword, params, message, schema: own });
  const got = own?.secret === true ? 'another value' : gotOf(field, at(value, instancePath));
  return [choiceOf(fault, schema, value, from) ?? { path, expected, got }];
};

/** What the schema refuses of the value. `from` is where the value stands. */
export const faultsOf = (schema: TSchema, value: unknown, from = ''): Problem[] => {
  const faults = (Value.Errors(schema, value) as unknown as Fault[]).filter(({ keyword }) => keyword !== 'boolean');
  const problems = faults.flatMap((fault) => told(fault, schema, value, from));
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
};
