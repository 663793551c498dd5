/** What a schema wants of a value, in the words of whoever typed it. */
import { listenPattern } from './listen-address.ts';
import { eventTypePattern, volumeNamePattern } from './settings.ts';
import { sizePattern } from './size.ts';

export const streamNamePattern = '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$';
export const labelPattern = '^[A-Za-z0-9_.+-]{1,16}$';
/** Setgid (2) and sticky (1) mean something on a directory; setuid (4) does not. */
export const modePattern = '^[0-3]?[0-7]{3}$';
export const thumbprintPattern = '^[A-Za-z0-9_-]{43}$';
export const pcrsPattern = '^[0-9]{1,2}(,[0-9]{1,2})*$';
export const backupNamePattern = '^[0-9a-f-]{36}\\.[0-9TZ]{16,19}(\\.replaced)?\\.img$';

const patternWords: Readonly<Record<string, string>> = {
  [volumeNamePattern]: 'a name of at most 63 characters of a-z, 0-9, _ and -, the first one a letter or a digit',
  [streamNamePattern]: 'a name of at most 63 characters of A-Z, a-z, 0-9, _ and -, the first one a letter or a digit',
  [listenPattern]: 'host:port, [address]:port or a port',
  [sizePattern]: 'a size such as 500M, 10G or 1.5TiB, or a number of bytes',
  [eventTypePattern]: 'a type such as volume.state, or the beginning of one such as volume.*',
  [labelPattern]: 'at most 16 characters of A-Z, a-z, 0-9, _, ., + and -',
  [modePattern]:
    'an octal mode such as 0750, with setgid (2770: what is made there belongs to its group) or sticky (1777), never setuid (4xxx)',
  [thumbprintPattern]: 'a thumbprint of 43 characters, as `tang-show-keys` prints it',
  [pcrsPattern]: 'numbers of PCRs with commas between them, such as 0,7',
  [backupNamePattern]: 'the name of a header backup, as `reelvault volume header list` shows it',
};

/** Of ajv (with `verbose`) and of TypeBox, which name the same things in nearly the same way. */
export interface SchemaFault {
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string | undefined;
  /** The schema of the value. */
  readonly schema?:
    | { readonly description?: string; readonly anyOf?: readonly { readonly const?: unknown }[] }
    | undefined;
}

const typeWords: Readonly<Record<string, string>> = {
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  string: 'text',
  object: 'an object',
  array: 'a list',
  null: 'nothing',
};

const oneOf = (values: readonly unknown[]): string =>
  values.length === 1 ? String(values[0]) : `one of ${values.map(String).join(', ')}`;

const byKeyword: Readonly<Record<string, (fault: SchemaFault) => string>> = {
  type: ({ params }) =>
    [params.type]
      .flat()
      .map((type) => typeWords[String(type)] ?? String(type))
      .join(' or '),
  enum: ({ params }) => oneOf(params.allowedValues as unknown[]),
  const: ({ params }) => String(params.allowedValue),
  anyOf: ({ schema }) => oneOf((schema?.anyOf ?? []).map((each) => each.const)),
  minimum: ({ params }) => `at least ${params.limit}`,
  maximum: ({ params }) => `at most ${params.limit}`,
  multipleOf: ({ params }) => `a multiple of ${params.multipleOf}`,
  minLength: ({ params }) => `at least ${params.limit} characters`,
  maxLength: ({ params }) => `at most ${params.limit} characters`,
  minItems: ({ params }) => `at least ${params.limit} of them`,
  maxItems: ({ params }) => `at most ${params.limit} of them`,
  uniqueItems: () => 'each only once',
};

/** What would have been right: `at most 31`, `one of lock, drain, slam`. */
export const wantedBy = (fault: SchemaFault): string => {
  const { keyword, params, schema, message } = fault;
  const known = patternWords[String(params.pattern)];
  if (keyword === 'pattern' && known !== undefined) return known;
  if (keyword === 'pattern' && schema?.description !== undefined) return `of this kind: ${schema.description}`;
  const words = byKeyword[keyword]?.(fault) ?? `of the form that is asked for (${message ?? keyword})`;
  return schema?.description === undefined ? words : `${words} (${schema.description})`;
};

const longestValue = 80;

/** A value as it was got: never of a field that could hold a secret by a slip. */
export const gotOf = (field: string, value: unknown): string => {
  if (value === undefined) return 'nothing';
  if (/pass|secret|ticket|token/i.test(field)) return 'another value';
  const text = JSON.stringify(value);
  return text.length <= longestValue ? text : `${text.slice(0, longestValue)}… (${text.length} characters)`;
};
