/** The `<option>`s of a role, of which each type here has its own. */
import path from 'node:path';
import { staticOptions, urlOptions } from '../../config/sections/backend-options.ts';
import { childrenOf, type Element, lineOf } from './xml.ts';

export type Note = (line: number, text: string) => void;

const read = (role: Element, note: Note): Map<string, string> => {
  const options = new Map<string, string>();
  for (const option of childrenOf(role, 'option')) {
    const [name, value] = [option.getAttribute('name'), option.getAttribute('value')];
    if (name === null || value === null)
      note(lineOf(option), 'an option without name or value was left out, as Icecast does');
    else options.set(name, value);
  }
  return options;
};

const only = (
  options: ReadonlyMap<string, string>,
  known: object,
  line: number,
  note: Note,
): Record<string, string> => {
  for (const name of options.keys())
    if (!(name in known)) note(line, `the option ${name} was left out: there is none such here`);
  return Object.fromEntries([...options].filter(([name]) => name in known));
};

const ofFile = (options: ReadonlyMap<string, string>, line: number, note: Note): Record<string, string | boolean> => {
  const file = options.get('filename');
  if (file === undefined) return {};
  const filename = path.basename(file);
  note(line, `copy ${file} to auth/${filename} in the state directory`);
  note(line, 'legacy_md5 takes the MD5 lines of Icecast; leave it out once all lines are bcrypt or argon2');
  return { filename, legacy_md5: true };
};

export const importOptions = (role: Element, type: string, note: Note): Record<string, string | boolean> => {
  const options = read(role, note);
  const line = lineOf(role);
  if (type === 'htpasswd') return ofFile(options, line, note);
  if (type === 'static') return only(options, staticOptions.properties, line, note);
  return only(options, type === 'url' ? urlOptions.properties : {}, line, note);
};
