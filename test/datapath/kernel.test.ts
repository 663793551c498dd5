/** The native layer alone, without any of our checks of strings: the kernel must refuse by itself. */
import assert from 'node:assert/strict';
import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { listBeneath, mkdirBeneath, openBeneath, renameBeneath, statBeneath, unlinkBeneath } from '../../src/native.ts';
import { Grounds, secret } from './grounds.ts';

const grounds = new Grounds();
const fd = grounds.open();
after(() => {
  closeSync(fd);
  grounds.remove();
});

/** Each names `outside/file` from the inside, if it is followed. */
const escapes: Record<string, string> = {
  '../outside/file': 'EXDEV',
  'dir/../../outside/file': 'EXDEV',
  [path.join(grounds.outside, 'file')]: 'EXDEV',
  'relative/file': 'ELOOP',
  'absolute/file': 'ELOOP',
  'to-file': 'ELOOP',
  [`magic${grounds.outside}/file`]: 'ELOOP',
  'harmless/file': 'ELOOP',
  loop: 'ELOOP',
};
const directories = ['..', '../outside', 'relative', 'absolute', 'magic', grounds.outside, '/', '/proc/self/root'];

test('the ways out are real: a plain open takes them', () => {
  for (const way of ['../outside/file', 'relative/file', 'absolute/file', 'to-file', `magic${grounds.outside}/file`]) {
    assert.equal(readFileSync(path.join(grounds.inside, way), 'utf8'), secret);
  }
});

test('open: what is inside opens, what leads outside does not', () => {
  const own = openBeneath(fd, 'dir/file', constants.O_RDONLY);
  assert.equal(readFileSync(own, 'utf8'), 'inside');
  assert.match(readFileSync(`/proc/self/fdinfo/${own}`, 'utf8'), /^flags:\t02[0-7]+$/m); // close-on-exec
  closeSync(own);
  for (const [way, code] of Object.entries(escapes)) {
    for (const flags of [
      constants.O_RDONLY,
      constants.O_WRONLY | constants.O_CREAT,
      constants.O_RDWR | constants.O_TRUNC,
    ]) {
      assert.throws(() => openBeneath(fd, way, flags, 0o600), { code, syscall: 'openat2', path: way }, way);
    }
  }
});

test('magic links of /proc, with the jail inside /proc itself', () => {
  const proc = openSync('/proc/self', 'r');
  for (const name of ['root/etc/passwd', 'cwd', 'exe', `fd/${fd}`]) {
    assert.throws(() => openBeneath(proc, name, constants.O_RDONLY), { code: 'ELOOP' }, name);
  }
  closeSync(proc);
});

test('a NUL does not shorten the name', () => {
  assert.throws(() => openBeneath(fd, 'file\0../../x', constants.O_RDONLY), { code: 'EINVAL' });
  assert.throws(() => unlinkBeneath(fd, 'file\0x'), { code: 'EINVAL' });
  assert.throws(() => renameBeneath(fd, 'file\0x', 'y'), { code: 'EINVAL' });
  assert.throws(() => mkdirBeneath(fd, 'new\0x', 0o700), { code: 'EINVAL' });
  assert.equal(readFileSync(path.join(grounds.inside, 'file'), 'utf8'), 'inside');
  assert.equal(existsSync(path.join(grounds.inside, 'new')), false);
});

test('long names and paths', () => {
  assert.throws(() => openBeneath(fd, 'x'.repeat(256), constants.O_RDONLY), { code: 'ENAMETOOLONG' });
  assert.throws(() => openBeneath(fd, 'x/'.repeat(2048), constants.O_RDONLY), { code: 'ENAMETOOLONG' });
});

test('list, stat', () => {
  const types = Object.fromEntries(listBeneath(fd, '.').map(({ name, type }) => [name, type]));
  assert.deepEqual([types.file, types.dir, types.relative, types['..']], ['file', 'directory', 'symlink', undefined]);
  assert.equal(statBeneath(fd, 'file').size, 6);
  assert.equal(statBeneath(fd, 'relative').type, 'symlink');
  for (const directory of directories) {
    assert.throws(() => listBeneath(fd, directory), { code: /^(EXDEV|ELOOP|ENOTDIR)$/ }, directory);
    assert.throws(() => statBeneath(fd, `${directory}/file`), { code: /^(EXDEV|ELOOP)$/ }, directory);
  }
});

test('mkdir, rename and unlink change nothing outside', () => {
  for (const directory of directories) {
    assert.throws(() => mkdirBeneath(fd, `${directory}/new`, 0o700), { code: /^(EXDEV|ELOOP|ENOTDIR)$/ }, directory);
    assert.throws(() => unlinkBeneath(fd, `${directory}/file`), { code: /^(EXDEV|ELOOP)$/ }, directory);
    assert.throws(() => renameBeneath(fd, `${directory}/file`, 'stolen'), { code: /^(EXDEV|ELOOP)$/ }, directory);
    assert.throws(() => renameBeneath(fd, 'file', `${directory}/file`), { code: /^(EXDEV|ELOOP)$/ }, directory);
  }
  for (const name of ['..', '.']) {
    assert.throws(() => unlinkBeneath(fd, name, true), { code: /^(ENOTEMPTY|EINVAL)$/ });
    assert.throws(() => renameBeneath(fd, name, 'moved'), { code: 'EBUSY' });
    assert.throws(() => renameBeneath(fd, 'dir', name), { code: /^(EBUSY|EEXIST)$/ });
  }
  assert.deepEqual(readdirSync(grounds.outside), ['file']);
  assert.equal(readFileSync(path.join(grounds.outside, 'file'), 'utf8'), secret);
  assert.deepEqual(readdirSync(grounds.top).sort(), ['inside', 'outside']);
});

test('mkdir makes parents, rename can refuse to replace', () => {
  mkdirBeneath(fd, 'a/b/c', 0o700);
  mkdirBeneath(fd, 'a/b/c', 0o700);
  assert.equal(statBeneath(fd, 'a/b/c').type, 'directory');
  assert.throws(() => mkdirBeneath(fd, 'file/x', 0o700), { code: 'ENOTDIR' });
  assert.throws(() => renameBeneath(fd, 'a', 'dir', true), { code: 'EEXIST' });
  renameBeneath(fd, 'a/b', 'moved', true);
  unlinkBeneath(fd, 'moved/c', true);
  assert.deepEqual(listBeneath(fd, 'moved'), []);
});
