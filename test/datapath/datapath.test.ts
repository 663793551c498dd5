import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Datapath } from '../../src/datapath/datapath.ts';
import { Grounds } from './grounds.ts';

const grounds = new Grounds();
const { inside, outside, top } = grounds;
const second = path.join(inside, 'dir');
let datapath: Datapath;
before(async () => {
  datapath = await Datapath.open(`${inside}/:${second}`);
});
after(async () => {
  await datapath.close();
  grounds.remove();
});

test('a path below a root resolves to the deepest root, whether it exists or not', async () => {
  for (const [name, root, relative] of [
    [`${inside}/file`, inside, 'file'],
    [`${inside}/new/deep/er`, inside, 'new/deep/er'],
    [inside, inside, '.'],
    [`${second}/file`, second, 'file'],
  ] as const) {
    const resolved = datapath.resolve(name);
    assert.deepEqual([resolved.root.path, resolved.relative], [root, relative]);
  }
  const { root, relative } = datapath.resolve(`${inside}/file`);
  assert.equal((await root.jail.readFile(relative)).toString(), 'inside');
});

test('what is refused', () => {
  for (const name of [
    `${outside}/file`,
    '/',
    '/etc/passwd',
    `${inside}x/file`,
    `${top}`,
    `${inside}/../outside/file`,
    `${inside}/dir/..`,
    `${inside}/relative/file`,
    `${inside}/absolute/file`,
    `${inside}/to-file`,
    `${inside}/magic/etc/passwd`,
    `${inside}/harmless`,
    `${inside}/relative/not/yet`,
    `${inside}/relative`,
  ]) {
    assert.throws(() => datapath.resolve(name), { code: 'path-outside' }, name);
  }
  for (const name of [
    '',
    'file',
    './file',
    `${inside}//file`,
    `${inside}/./file`,
    `${inside}/a\0b`,
    `${inside}/${'x'.repeat(256)}`,
    `${inside}/file/x`,
    `${inside}/file/x/y`,
  ]) {
    assert.throws(() => datapath.resolve(name), { code: 'path-invalid' }, JSON.stringify(name));
  }
});

test('a list that makes no sense', async () => {
  for (const text of ['', ':', '/', `${inside}:/no/such/directory`, `${inside}:${inside}/`, `${inside}/file`]) {
    await assert.rejects(Datapath.open(text), { code: 'config-invalid' }, text);
  }
  await assert.rejects(Datapath.open('relative'), { code: 'path-invalid' });
});

test('a root may be a link: the admin of the host says what it is', async () => {
  mkdirSync(path.join(top, 'disk'));
  symlinkSync('disk', path.join(top, 'link'));
  const linked = await Datapath.open(path.join(top, 'link'));
  assert.equal(linked.roots[0]?.path, path.join(top, 'disk'));
  await linked.close();
});
