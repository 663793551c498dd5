import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, readdirSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { Jail } from '../../src/datapath/jail.ts';
import { checkName } from '../../src/datapath/names.ts';
import { ReelError } from '../../src/errors.ts';
import { Grounds } from './grounds.ts';

const grounds = new Grounds();
const jail = new Jail({ fd: grounds.open(), label: 'volume cam1' });
after(async () => {
  await jail.close();
  await jail.close();
  grounds.remove();
});

test('open, write, read, list, stat, rename, unlink', async () => {
  jail.mkdirp('dvr/cam1/2026');
  const fd = jail.open('dvr/cam1/2026/a', constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
  writeSync(fd, 'hello');
  closeSync(fd);
  assert.equal((await jail.readFile('dvr/cam1/2026/a')).toString(), 'hello');
  assert.deepEqual(jail.readdir('dvr/cam1'), [{ name: '2026', type: 'directory' }]);
  assert.deepEqual(
    [jail.stat('dvr/cam1/2026/a')?.size, jail.stat('dvr/none'), jail.stat('.')?.type],
    [5, null, 'directory'],
  );
  jail.rename('dvr/cam1/2026/a', 'dvr/b');
  assert.throws(() => jail.rename('dvr/b', 'file', { noReplace: true }), { code: 'already-exists' });
  jail.unlink('dvr/b');
  assert.throws(() => jail.unlink('dvr/b'), { code: 'not-found' });
  assert.throws(() => jail.unlink('dvr', { directory: true }), { code: 'already-exists' });
  const sub = jail.sub('dvr');
  assert.deepEqual(
    sub.readdir().map(({ name }) => name),
    ['cam1'],
  );
  assert.throws(() => sub.readdir('../dir'), { code: 'path-outside' });
  await sub.close();
  assert.throws(() => sub.readdir(), { code: 'not-found' });
});

test('a whole file or the old one', async () => {
  await jail.writeFileAtomic('dir/state.json', Buffer.from('one'));
  await jail.writeFileAtomic('dir/state.json', Buffer.alloc(300_000, 'two'));
  assert.equal(readFileSync(path.join(grounds.inside, 'dir/state.json'), 'utf8'), 'two'.repeat(100_000));
  await jail.writeFileAtomic('secret', Buffer.from('x'), 0o600);
  assert.equal(statSync(path.join(grounds.inside, 'secret')).mode & 0o777, 0o600);
  // A directory in the way: refused, and nothing is left behind.
  await assert.rejects(jail.writeFileAtomic('dir/deep', Buffer.from('x')), ReelError);
  assert.deepEqual(readdirSync(path.join(grounds.inside, 'dir')).sort(), ['deep', 'file', 'state.json']);
});

test('an atomic write replaces a link instead of following it', async () => {
  await jail.writeFileAtomic('to-file', Buffer.from('mine'));
  assert.equal(readFileSync(path.join(grounds.outside, 'file'), 'utf8'), 'outside-secret');
  assert.equal(jail.stat('to-file')?.type, 'file');
});

test('reading is bounded, and of files only', async () => {
  writeFileSync(path.join(grounds.inside, 'large'), Buffer.alloc(100_001));
  await assert.rejects(jail.readFile('large', { maxBytes: 100_000 }), { code: 'path-invalid' });
  assert.equal((await jail.readFile('large', { maxBytes: 100_001 })).length, 100_001);
  execFileSync('mkfifo', [path.join(grounds.inside, 'fifo')]);
  await assert.rejects(jail.readFile('fifo'), { code: 'path-invalid' });
  await assert.rejects(jail.readFile('dir'), { code: 'path-invalid' });
});

test('clear refusals before the kernel is asked', () => {
  const refused = (bad: string, code: string): void => {
    assert.throws(() => jail.readdir(bad), { code }, JSON.stringify(bad));
    assert.throws(() => jail.rename('file', bad), { code }, JSON.stringify(bad));
  };
  for (const bad of [
    '',
    'a\0b',
    'a//b',
    'a/',
    './a',
    'a/./b',
    'x'.repeat(256),
    'ä'.repeat(128),
    'x/'.repeat(2047).concat('yy'),
    '\ud800',
  ]) {
    refused(bad, 'path-invalid');
  }
  for (const bad of ['/', '/etc', '..', '../a', 'a/../..', 'dir/..']) refused(bad, 'path-outside');
});

test('whatever the string, nothing outside is reached', () => {
  const part = fc.oneof(
    fc.constantFrom('..', '.', '', 'dir', 'relative', 'absolute', 'magic', 'file', '\0', 'proc', 'self', 'root'),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.boolean(), (parts, absolute) => {
      const name = `${absolute ? '/' : ''}${parts.join('/')}`;
      try {
        closeSync(jail.open(name, constants.O_RDONLY | constants.O_NONBLOCK));
      } catch (error) {
        assert.ok(error instanceof ReelError, String(error));
        return;
      }
      // What opened is one of ours, at this very name.
      assert.ok(
        statSync(path.join(grounds.inside, name)).isFile() || statSync(path.join(grounds.inside, name)).isDirectory(),
      );
      assert.ok(!/relative|absolute|magic|\.\./.test(name));
    }),
    { numRuns: 2_000 },
  );
});

test('names of volumes and streams', () => {
  for (const good of ['a', 'Cam-1', 'cam_1.main', '0', 'x'.repeat(64)])
    assert.equal(checkName('a volume name', good), good);
  for (const bad of ['', '.', '..', '.a', '-a', '_a', 'a..b', 'a/b', 'a\0', 'a\n', 'ä', 'x'.repeat(65), 'a b']) {
    assert.throws(() => checkName('a volume name', bad), { code: 'invalid-argument' }, JSON.stringify(bad));
  }
});
