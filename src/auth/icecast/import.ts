/** Reads the rules of access out of an Icecast configuration: the whole file, or one `<authentication>`, `<mount>` or `<listen-socket>` of it. */
import { stringify } from 'yaml';
import {
  type AccessRules,
  accessRulesSchema,
  checkAccessRules,
  mountPattern,
  streamOfMount,
} from '../../config/sections/authentication.ts';
import { faultsOf } from '../../config/sections/problem.ts';
import { ReelError } from '../../errors.ts';
import type { Note } from './options.ts';
import { importRole } from './role.ts';
import { childrenOf, type Element, lineOf, parseXml, textOf } from './xml.ts';

export interface ImportNote {
  readonly line: number;
  readonly text: string;
}

export interface Imported {
  readonly rules: AccessRules;
  /** What was left out, or has to be done by hand. */
  readonly notes: readonly ImportNote[];
}

type Roles = Record<string, unknown>[];

/** Users of Icecast 2.4, which 2.5 still reads from the global list. */
const oldUsers = (block: Element, note: Note): Roles => {
  const admin = textOf(block, 'admin-password');
  const source = textOf(block, 'source-password');
  if (textOf(block, 'relay-password') !== undefined)
    note(lineOf(block), 'the relay-password was left out: there are no relays here');
  const user = (username: string, password: string): object => ({ options: { username, password } });
  const publishing = { allow_method: 'put,post' };
  return [
    ...(admin === undefined
      ? []
      : [{ type: 'static', allow_all: '*', ...user(textOf(block, 'admin-user') ?? 'admin', admin) }]),
    ...(source === undefined ? [] : [{ type: 'static', ...publishing, ...user('source', source) }]),
  ];
};

const rolesOf = (block: Element, note: Note): Roles => {
  if (block.hasAttribute('type'))
    throw new ReelError('invalid-argument', {
      expected: `at line ${lineOf(block)} an <authentication> with roles, as Icecast 2.5 has it`,
      got: 'one with a type, as Icecast 2.4 has it',
      hint: 'make it a <role> with the same type and options',
    });
  return [...childrenOf(block, 'role').map((role) => importRole(role, note)), ...oldUsers(block, note)];
};

const listIn = (element: Element, note: Note): Roles | undefined => {
  const blocks = childrenOf(element, 'authentication');
  return blocks.length === 0 ? undefined : blocks.flatMap((block) => rolesOf(block, note));
};

const nameOf = (socket: Element): string =>
  socket.getAttribute('id') ?? `${textOf(socket, 'bind-address') ?? '*'}:${textOf(socket, 'port') ?? '8000'}`;

const mountOf = (mount: Element): string => {
  const name = textOf(mount, 'mount-name') ?? '';
  if (new RegExp(mountPattern).test(name)) return name;
  throw new ReelError('invalid-argument', {
    expected: `at line ${lineOf(mount)} a mount whose name can be that of a stream: letters, digits, - and _`,
    got: JSON.stringify(name),
  });
};

const partsOf = (root: Element): Element[] => (root.tagName === 'icecast' ? childrenOf(root) : [root]);

export const importIcecast = (text: string): Imported => {
  const notes: ImportNote[] = [];
  const note: Note = (line, words) => void notes.push({ line, text: words });
  const root = parseXml(text);
  if (!['icecast', 'authentication', 'mount', 'listen-socket'].includes(root.tagName))
    throw new ReelError('invalid-argument', {
      expected: '<icecast>, <authentication>, <mount> or <listen-socket>',
      got: `<${root.tagName}>`,
    });
  const listeners: Record<string, { authentication: Roles }> = {};
  const streams: Record<string, { authentication: Roles }> = {};
  const rules: Record<string, unknown> = {};
  for (const part of partsOf(root)) {
    if (part.tagName === 'authentication') {
      rules.authentication = [...((rules.authentication as Roles | undefined) ?? []), ...rolesOf(part, note)];
      continue;
    }
    if (part.tagName !== 'mount' && part.tagName !== 'listen-socket') continue;
    const authentication = listIn(part, note);
    if (authentication === undefined) continue;
    if (part.tagName === 'listen-socket') {
      listeners[nameOf(part)] = { authentication };
      note(lineOf(part), `${nameOf(part)} is to be the name of a listener here`);
    } else if (part.getAttribute('type') === 'default') rules.default_stream = { authentication };
    else {
      const mount = mountOf(part);
      streams[mount] = { authentication };
      if (mount !== `/${streamOfMount(mount)}`)
        note(lineOf(part), `${mount} is the stream ${streamOfMount(mount)} here`);
    }
  }
  const whole = {
    ...(Object.keys(listeners).length === 0 ? {} : { listeners }),
    ...(Object.keys(streams).length === 0 ? {} : { streams }),
    ...rules,
  };
  const faults = faultsOf(accessRulesSchema, whole);
  const problems = faults.length > 0 ? faults : checkAccessRules(whole as AccessRules);
  const [first] = problems;
  if (first !== undefined)
    throw new ReelError('config-invalid', {
      expected: `${first.path}: ${first.expected}`,
      got: first.got,
      details: { problems },
    });
  return { rules: whole as AccessRules, notes };
};

/** With the notes as comments at its head. */
export const importedYaml = ({ rules, notes }: Imported): string => {
  const head = notes.map(({ line, text }) => `# line ${line}: ${text}\n`).join('');
  return `${head}${stringify(rules, { lineWidth: 0 })}`;
};
