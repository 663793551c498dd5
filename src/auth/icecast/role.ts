/** One `<role>` of Icecast as a role of ours. */
import { type RoleType, roleTypes } from '../../config/sections/authentication.ts';
import { ReelError } from '../../errors.ts';
import { listOf } from '../rules/words.ts';
import { importOptions, type Note } from './options.ts';
import { ImportedPermissions, saysYes } from './permissions.ts';
import { attributesOf, childrenOf, type Element, lineOf } from './xml.ts';

type Keys = Record<string, unknown>;

const filters: readonly string[] = [
  'match-method',
  'nomatch-method',
  'match-admin',
  'nomatch-admin',
  'match-origin',
  'nomatch-origin',
];
const numbers: readonly string[] = ['connections-per-user', 'connection-duration'];

/** Commands of Icecast's admin interface mean nothing here, except for these. */
const sameCommands: ReadonlySet<string> = new Set(['*', 'buildm3u']);

const keyOf = (attribute: string): string => attribute.replaceAll('-', '_');

/** Without commands that there are not. A role that was about such only is about none here. */
const withoutCommands = (key: string, words: string, line: number, note: Note): Keys => {
  const all = listOf(words);
  const kept = all.filter((word) => sameCommands.has(word));
  for (const word of all.filter((one) => !sameCommands.has(one)))
    note(
      line,
      `the command ${word} was left out of ${key}: there is none such here; docs/access-rules.md says which there are`,
    );
  if (kept.length > 0) return { [key]: kept.join(',') };
  return key === 'match_admin' ? { nomatch_admin: '*' } : {};
};

const headersOf = (role: Element, note: Note): Keys => {
  const headers = childrenOf(role, 'http-headers').flatMap((block) => childrenOf(block, 'header'));
  const taken = headers.flatMap((header) => {
    const {
      name,
      value,
      status,
      type = 'static',
    } = Object.fromEntries(attributesOf(header)) as Partial<Record<string, string>>;
    if (type === 'static' && name !== undefined && value !== undefined)
      return [{ name, value, ...(status === undefined ? {} : { status: Number(status) }) }];
    note(lineOf(header), `the header ${name ?? ''} of the type ${type} was left out`);
    return [];
  });
  return taken.length === 0 ? {} : { http_headers: taken };
};

const typeOf = (role: Element): RoleType => {
  const type = (role.getAttribute('type') ?? '').replace('enforce_auth', 'enforce-auth');
  if ((roleTypes as readonly string[]).includes(type)) return type as RoleType;
  // Without it the roles behind it would decide what it decided.
  throw new ReelError('invalid-argument', {
    expected: `at line ${lineOf(role)} a role of the type ${roleTypes.join(', ')}`,
    got: type === '' ? 'none' : type,
    hint: 'put another role in its place first',
  });
};

const unlimited = (value: string): boolean => value === '*' || value === 'unlimited';

const attributeOf = (name: string, value: string, line: number, note: Note): Keys => {
  if (name === 'name') return { name: value };
  if (name === 'method') return { match_method: value.toLowerCase() };
  if (filters.includes(name)) {
    const key = keyOf(name);
    if (name.endsWith('-admin')) return withoutCommands(key, value, line, note);
    if (name === 'match-method' && listOf(value)[0] !== '*')
      note(line, 'match_method means these methods and no others here; Icecast goes on to match the others too');
    return { [key]: name.endsWith('-method') ? value.toLowerCase() : value };
  }
  if (name === 'match-web' || name === 'nomatch-web') return { [keyOf(name)]: saysYes(value) ? '*' : false };
  if (numbers.includes(name)) return unlimited(value) ? {} : { [keyOf(name)]: Number(value) };
  note(line, `the attribute ${name} was left out: there is none such here`);
  return {};
};

export const importRole = (role: Element, note: Note): Keys => {
  const type = typeOf(role);
  const line = lineOf(role);
  const permissions = new ImportedPermissions();
  const keys: Keys = {};
  for (const [name, value] of attributesOf(role))
    if (name !== 'type' && !permissions.take(name, value)) Object.assign(keys, attributeOf(name, value, line, note));
  for (const child of childrenOf(role))
    if (child.tagName !== 'option' && child.tagName !== 'http-headers')
      note(lineOf(child), `<${child.tagName}> was left out: there is none such here`);
  const options = importOptions(role, type, note);
  const { allow_admin: allow, deny_admin: deny, ...allowed } = permissions.keys();
  return {
    type,
    ...keys,
    ...allowed,
    ...(allow === undefined ? {} : withoutCommands('allow_admin', allow, line, note)),
    ...(deny === undefined ? {} : withoutCommands('deny_admin', deny, line, note)),
    ...headersOf(role, note),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  };
};
