import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountAt, parseMountinfo, readMounts, readOnlyReason } from '../../src/volume/mountinfo.ts';

const line = (point: string, more = 'rw,nosuid shared:1 - ext4 /dev/loop3 rw,errors=remount-ro', id = 40): string =>
  `${id} 27 7:3 / ${point} ${more}`;

const only = (text: string) => {
  const [mount, ...rest] = parseMountinfo(text);
  assert.ok(mount !== undefined && rest.length === 0);
  return mount;
};

test('fields, with and without optional ones', () => {
  const cases = [
    ['', null, null],
    [' shared:1', 1, null],
    [' shared:1 master:2 propagate_from:3', 1, 2],
    [' unbindable', null, null],
  ] as const;
  for (const [optional, shared, master] of cases) {
    const mount = only(`40 27 7:3 /sub /mount/v rw,noatime${optional} - ext4 /dev/loop3 rw,errors=remount-ro\n`);
    assert.deepEqual(mount, {
      ...{ id: 40, parent: 27, device: '7:3', root: '/sub', point: '/mount/v', options: ['rw', 'noatime'] },
      ...{ shared, master, type: 'ext4', source: '/dev/loop3', superOptions: ['rw', 'errors=remount-ro'] },
    });
  }
});

test('octal escapes: space, tab, newline, backslash, and what only looks like one', () => {
  assert.equal(only(line('/a\\040b\\011c\\012d\\134e')).point, '/a b\tc\nd\\e');
  assert.equal(only(line('/a\\134040')).point, '/a\\040');
  assert.equal(only(line('/größe\\040ü')).point, '/größe ü');
});

test('of two mounts on one point the later is on top', () => {
  const lines = [line('/m', undefined, 40), line('/m/x', undefined, 41), line('/m', undefined, 42)];
  const mounts = parseMountinfo(lines.join('\n'));
  assert.equal(mountAt(mounts, '/m')?.id, 42);
  assert.equal(mountAt(mounts, '/n'), undefined);
});

test('read-only: the mount, the filesystem, and ext4 in an emergency that still says rw', () => {
  const reason = (options: string, superOptions: string): string | undefined =>
    readOnlyReason(only(line('/m', `${options} - ext4 /dev/loop3 ${superOptions}`)));
  assert.equal(reason('rw', 'rw,errors=remount-ro'), undefined);
  assert.match(reason('ro', 'rw') ?? '', /read-only/);
  assert.match(reason('rw', 'ro') ?? '', /read-only/);
  assert.match(reason('rw', 'rw,emergency_ro,errors=remount-ro') ?? '', /emergency_ro/);
  assert.match(reason('rw', 'rw,shutdown') ?? '', /shut down/);
});

test('lines that are none are passed over', () => {
  assert.deepEqual(parseMountinfo('\nnonsense\n40 27 7:3\n'), []);
});

test('the table of this machine', async () => {
  // not its root, which is no mount in a chroot
  assert.equal(mountAt(await readMounts(), '/proc')?.type, 'proc');
});
