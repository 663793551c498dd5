/** Whoever can swap a directory above the datapath leads root's commands elsewhere: each such way is refused, and says who could. */
import assert from 'node:assert/strict';
import { chmod, chown, lchown, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { refuseReplaceable } from '../../src/datapath/replaceable.ts';
import type { ReelError } from '../../src/errors.ts';

/** Nobody's on any machine. */
const stranger = 64_123;

let top: string;
before(async () => {
  top = await mkdtemp(path.join(tmpdir(), 'replaceable-'));
});
after(() => rm(top, { recursive: true, force: true }));

/** A directory `above` with a directory `root` in it. */
const make = async (name: string, mode: number, owner = 0, group = 0): Promise<{ above: string; root: string }> => {
  const above = path.join(top, name);
  const root = path.join(above, 'root');
  await mkdir(root, { recursive: true });
  await chown(above, owner, group);
  await chmod(above, mode);
  return { above, root };
};

const refused = (root: string, swappable: string, who: RegExp): Promise<void> =>
  assert.rejects(refuseReplaceable(root), (error: ReelError) => {
    assert.equal(error.code, 'config-invalid');
    assert.equal(error.details.entry, swappable);
    assert.match(error.message, who);
    assert.ok(error.parts.hint?.includes(path.dirname(swappable)), error.message);
    return true;
  });

test('everybody may write above it', async () => {
  const { above, root } = await make('others', 0o777);
  await refused(root, root, /every user of this machine can/);
  await chmod(above, 0o755);
  await refuseReplaceable(root);
});

test('a sticky directory above it keeps what root owns in its place, and nothing else', async () => {
  const { root } = await make('sticky', 0o1777);
  await refuseReplaceable(root);
  await chown(root, stranger, 0);
  await refused(root, root, /user 64123 can/);
});

test('a group that is not root’s may write above it', async () => {
  const { above, root } = await make('group', 0o775, 0, stranger);
  await refused(root, root, /members of group 64123 can/);
  await chown(above, 0, 0);
  await refuseReplaceable(root);
});

test('another user owns a directory above it, near or far, sticky or not', async () => {
  const { above, root } = await make('owner', 0o755, stranger);
  await refused(root, root, /owner, user 64123 can/);
  const deep = path.join(root, 'a/b');
  await mkdir(deep, { recursive: true });
  await refused(deep, root, /owner, user 64123 can/);
  await chmod(above, 0o1777);
  await refused(root, root, /owner, user 64123 can/);
});

test('a user whom the admin trusts may own directories above it, and nobody else', async () => {
  const { above, root } = await make('trusted', 0o755, stranger);
  await refuseReplaceable(root, stranger);
  await assert.rejects(refuseReplaceable(root, stranger + 1), { code: 'config-invalid' });
  await chmod(above, 0o777);
  await assert.rejects(refuseReplaceable(root, stranger), { message: /every user of this machine can/ });
});

test('a link on the way, in a directory that others write, however safe what it leads to is', async () => {
  const { root } = await make('safe', 0o755);
  const { above } = await make('links', 0o1777);
  const link = path.join(above, 'link');
  await symlink(root, link);
  await refuseReplaceable(link);
  await lchown(link, stranger, 0);
  await refused(link, link, /user 64123 can/);
  await lchown(link, 0, 0);
  await chmod(above, 0o777);
  await refused(link, link, /every user/);
  // The link itself lies well, and leads through the directory that others write.
  const around = path.join(top, 'around');
  await symlink('links/../links/root', around);
  await refused(around, path.join(above, 'root'), /every user/);
});

test('what does not exist, a link in a circle, a link to nowhere', async () => {
  const missing = { code: 'config-invalid', message: /got nothing at .*mkdir -p.*mount the disk/ };
  await assert.rejects(refuseReplaceable(path.join(top, 'none/below')), missing);
  await symlink('circle', path.join(top, 'circle'));
  await assert.rejects(refuseReplaceable(path.join(top, 'circle')), { code: 'config-invalid', message: /in a circle/ });
  await symlink('/nowhere/at/all', path.join(top, 'nowhere'));
  await assert.rejects(refuseReplaceable(path.join(top, 'nowhere')), missing);
});
