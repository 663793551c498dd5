/** Where the helper refuses to stand, before it has made or opened anything. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Layout } from '../../src/volume/layout.ts';

let top: string;
let above: string;
let root: string;
beforeEach(async () => {
  top = await mkdtemp(path.join(tmpdir(), 'reelvault-layout-'));
  above = path.join(top, 'above');
  root = path.join(above, 'root');
  await mkdir(root, { recursive: true });
});
afterEach(() => rm(top, { recursive: true, force: true }));

const open = (datapath = [root], runtime = path.join(top, 'run')): Promise<Layout> =>
  Layout.open({ datapath, runtime });

test('a datapath that does not exist is not made', async () => {
  const typo = path.join(top, 'storge');
  await assert.rejects(open([root, typo]), { code: 'config-invalid', message: /got nothing at .*storge.*mkdir/ });
  assert.equal(existsSync(typo), false);
  assert.deepEqual(await readdir(root), []);
});

test('a datapath that others could swap for another directory, and one that they may write', async () => {
  await chmod(above, 0o777);
  await assert.rejects(open(), {
    code: 'config-invalid',
    message: /in the place of .*root, got .*above, where every user/,
  });
  await chmod(above, 0o755);
  await chmod(root, 0o777);
  await assert.rejects(open(), { code: 'config-invalid', message: /only root can change.*mode 777.*chmod go-w/ });
  await chmod(root, 0o755);
  await chown(root, 64_123, 0);
  await assert.rejects(open(), { code: 'config-invalid', message: /owner 64123/ });
  assert.deepEqual(await readdir(root), []);
});

test('a runtime directory that others could swap', async () => {
  await chmod(above, 0o777);
  const safe = path.join(top, 'safe');
  await mkdir(safe);
  await assert.rejects(open([safe], path.join(above, 'run')), { code: 'config-invalid', message: /every user/ });
  await chmod(above, 0o1777);
  await (await open([safe], path.join(above, 'run'))).close();
});

test('a device that was not given: the hint is never to allow a path with dots in it', async () => {
  const layout = await open();
  assert.throws(() => layout.paths('v', '/dev/mem'), {
    code: 'device-refused',
    message: /add \/dev\/mem to REELVAULT/,
  });
  assert.throws(() => layout.paths('v', '/dev/../etc/passwd'), {
    code: 'device-refused',
    message: /name it as it stands in REELVAULT_DEVICES/,
  });
});
