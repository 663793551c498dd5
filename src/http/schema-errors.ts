/** What a route's schema refuses, told as the field, what was expected and what came. */
import type { FastifyError, FastifySchemaValidationError } from 'fastify';
import { gotOf, type SchemaFault, wantedBy } from '../config/schema-words.ts';
import { ReelError } from '../errors.ts';

const places: Readonly<Record<string, string>> = {
  params: 'path',
  querystring: 'query',
  headers: 'headers',
  body: 'body',
};

/** What ajv adds with `verbose`. */
type Fault = FastifySchemaValidationError & {
  readonly data?: unknown;
  readonly parentSchema?: SchemaFault['schema'] & { readonly properties?: Readonly<Record<string, PropertySchema>> };
};

interface PropertySchema {
  readonly pattern?: string;
  readonly description?: string;
}

const required = (fault: Fault, place: string): { field: string; expected: string; got: string } => {
  const field = String(fault.params.missingProperty);
  const schema = fault.parentSchema?.properties?.[field];
  const wanted =
    schema?.pattern === undefined
      ? (schema?.description ?? '')
      : wantedBy({ keyword: 'pattern', params: { pattern: schema.pattern }, schema });
  return { field, expected: `"${field}" in the ${place}${wanted === '' ? '' : `: ${wanted}`}`, got: 'none' };
};

const unknownName = (fault: Fault, place: string): { field: string; expected: string; got: string } => {
  const field = String(fault.params.additionalProperty);
  const known = Object.keys(fault.parentSchema?.properties ?? {}).join(', ');
  return { field, expected: `in the ${place} nothing but ${known}`, got: `"${field}"` };
};

const wrongValue = (fault: Fault, place: string): { field: string; expected: string; got: string } => {
  const field = fault.instancePath.slice(1).replaceAll('/', '.');
  const { keyword, params, message, parentSchema: schema, data } = fault;
  const what = field === '' ? `the ${place}` : `"${field}" in the ${place}`;
  return {
    field,
    expected: `${what} to be ${wantedBy({ keyword, params, message, schema })}`,
    got: gotOf(field, data),
  };
};

const isChoice = ({ keyword, parentSchema }: Fault): boolean =>
  keyword === 'anyOf' && (parentSchema?.anyOf ?? []).every((branch) => branch.const !== undefined);

/** Undefined for an error that is none of a schema. */
export const schemaError = (error: FastifyError): ReelError | undefined => {
  const faults = (error.validation ?? []) as readonly Fault[];
  // Of a choice between values, ajv names each that does not fit before the choice itself.
  const fault = faults.find(isChoice) ?? faults[0];
  if (fault === undefined) return undefined;
  const place = places[error.validationContext ?? ''] ?? 'request';
  const tell = { required, additionalProperties: unknownName }[fault.keyword] ?? wrongValue;
  const { field, expected, got } = tell(fault, place);
  return new ReelError('invalid-argument', { expected, got, details: { field, in: place, rule: fault.keyword } });
};
