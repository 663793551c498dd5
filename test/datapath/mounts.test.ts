import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { Jail } from '../../src/datapath/jail.ts';
import { openBeneath } from '../../src/native.ts';
import { Grounds } from './grounds.ts';

const grounds = new Grounds();
const target = path.join(grounds.inside, 'dir/deep');
let mounted = true;
try {
  execFileSync('mount', ['--bind', grounds.outside, target], { stdio: 'pipe' });
} catch {
  mounted = false;
}
after(() => {
  // lazy: a test that failed may hold a descriptor of it
  if (mounted) execFileSync('umount', ['--lazy', target]);
  grounds.remove();
});

test('a bind mount inside a volume is no way out', {
  skip: !mounted && 'bind mounts are not allowed here',
}, async () => {
  const jail = new Jail({ fd: grounds.open(), label: 'volume' });
  await assert.rejects(jail.readFile('dir/deep/file'), { code: 'path-outside' });
  assert.throws(() => jail.readdir('dir/deep'), { code: 'path-outside' });
  assert.throws(() => jail.stat('dir/deep/file'), { code: 'path-outside' });
  assert.throws(() => jail.mkdirp('dir/deep/new'), { code: 'path-outside' });
  assert.throws(() => jail.rename('file', 'dir/deep/moved'), { code: 'path-outside' });
  assert.throws(() => jail.unlink('dir/deep/file'), { code: 'path-outside' });
  assert.throws(() => jail.sub('dir').readdir('deep'), { code: 'path-outside' });
  await jail.close();
});

test('below the datapath an admin may mount a disk', { skip: !mounted && 'bind mounts are not allowed here' }, () => {
  const fd = grounds.open();
  closeSync(openBeneath(fd, 'dir/deep/file', constants.O_RDONLY));
  assert.throws(() => openBeneath(fd, 'dir/deep/file', constants.O_RDONLY, 0, { crossMounts: false }), {
    code: 'EXDEV',
  });
  closeSync(fd);
});
