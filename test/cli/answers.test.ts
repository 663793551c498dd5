/** What the answers of the command line claim: nothing that is not so, and what the admin does next. Against a real service, as root. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { TestService } from './service.ts';

const service = await TestService.create();
before(() => service.start());
after(() => service.destroy(['a']));

const json = (text: string): Record<string, unknown> => JSON.parse(text);
const volume = (...args: string[]) => service.run(['volume', ...args]);
/** A file of the service's own directory, which goes with it. */
const secret = (name: string, text = name): string => {
  const file = path.join(service.base, name);
  writeFileSync(file, text);
  return file;
};
const [first, second, typo] = ['first', 'second', 'typo'].map((name) => secret(name)) as [string, string, string];

test('a change whose old passphrase opens nothing claims no removal, and names the slots that are left', async () => {
  const made = await volume('create', 'a', '--size', '64M', '--locked', '--passphrase-file', first);
  assert.equal(made.code, 0, made.stderr);
  const added = await volume('key', 'add', 'a', '--passphrase-file', first, '--new-passphrase-file', second);
  assert.equal(added.code, 0, added.stderr);
  const change = ['key', 'change', 'a', '--passphrase-file', typo, '--new-passphrase-file', first];
  const mistaken = await volume(...change);
  assert.equal(mistaken.code, 0, mistaken.stderr);
  assert.match(mistaken.stdout, /no key was removed: the old passphrase opens nothing/);
  assert.match(mistaken.stdout, /^slots left: 0, 1;/m);
  assert.doesNotMatch(mistaken.stdout, /gone/);
  const { stdout } = await volume(...change, '--json');
  assert.deepEqual(json(stdout), { slot: 0, added: false, removed: [], left: [0, 1] });
});
