/** What is not a volume, or not this one, is refused with its reason; nothing is written to it and nothing is left. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import {
  chmod,
  copyFile,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import pino from 'pino';
import type { ReelError } from '../../src/errors.ts';
import { run } from '../../src/exec/run.ts';
import { HelperClient } from '../../src/helper/client.ts';
import { helperSocket, startHelper } from '../../src/helper/start.ts';
import { Luks } from '../../src/luks/luks.ts';
import { createRequest, describeEngines, type Helper, openRequest, Place, service, size } from '../helper/harness.ts';

const none = { loops: [], mounts: [], processes: [] };
const pbkdf = { type: 'pbkdf2', iterations: 1000 } as const;
const digest = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

await describeEngines('refusals', (engine) => {
  let place: Place;
  let helper: Helper;
  before(async () => {
    place = await Place.make();
    helper = await place.helper();
    await helper.client.call(createRequest(engine));
  });
  after(() => place.destroy());

  const refuses = async (call: Promise<unknown>, code: string, got?: RegExp): Promise<void> => {
    await assert.rejects(call, (error: ReelError) => {
      assert.equal(error.code, code, error.message);
      assert.equal(error.details.undoFailures, undefined);
      if (got !== undefined) assert.match(error.message, got);
      return true;
    });
    assert.deepEqual(await place.leftovers(), none);
  };
  const openAt = (container: string, name = 'v') => helper.client.call(openRequest(engine, { name, container }));
  /** Volume `name` has the key of `v`. */
  const shareKey = (name: string): Promise<void> =>
    copyFile(path.join(place.storage, 'keys/v.key'), path.join(place.storage, `keys/${name}.key`));

  test('a file that is not LUKS, an empty file, a directory, nothing', async () => {
    const file = place.container('text');
    await writeFile(file, 'x'.repeat(100_000));
    await refuses(openAt(file), 'not-luks');
    await writeFile(file, '');
    await refuses(openAt(file), 'not-luks');
    await refuses(openAt(path.join(place.storage, 'containers')), 'not-luks');
    await refuses(openAt(place.container('nobody')), 'not-found');
  });

  test('a container outside the datapath, by path or by link', async () => {
    const outside = path.join(place.root, 'outside');
    await mkdir(outside);
    await copyFile(place.container('v'), path.join(outside, 'c.luks'));
    await refuses(openAt(path.join(outside, 'c.luks')), 'path-outside');
    await refuses(openAt(`${place.storage}/../outside/c.luks`), 'path-outside');
    await refuses(openAt('/etc/passwd'), 'path-outside');
    await symlink(path.join(outside, 'c.luks'), place.container('link'));
    await refuses(openAt(place.container('link')), 'path-outside');
    await symlink(outside, path.join(place.storage, 'elsewhere'));
    await refuses(openAt(path.join(place.storage, 'elsewhere/c.luks')), 'path-outside');
    await symlink(place.container('v'), place.container('inner-link'));
    await refuses(openAt(place.container('inner-link')), 'path-outside');
  });

  test('a container in a directory that somebody else could change', async () => {
    const shared = path.join(place.storage, 'shared');
    await mkdir(shared);
    await chmod(shared, 0o777);
    await copyFile(place.container('v'), path.join(shared, 'c.luks'));
    await refuses(openAt(path.join(shared, 'c.luks')), 'config-invalid', /only root can change/);
  });

  test('create refuses an existing container or key, and leaves it as it is', async () => {
    const sum = await digest(place.container('v'));
    await refuses(helper.client.call(createRequest(engine)), 'already-exists', /open the volume/);
    assert.equal(await digest(place.container('v')), sum);
    await writeFile(place.container('other'), 'something else');
    await refuses(helper.client.call(createRequest(engine, { name: 'other' })), 'already-exists', /move it away/);
    assert.equal(await readFile(place.container('other'), 'utf8'), 'something else');
    await writeFile(path.join(place.storage, 'keys/lonely.key'), 'key');
    await refuses(helper.client.call(createRequest(engine, { name: 'lonely' })), 'already-exists');
    assert.equal(await readFile(path.join(place.storage, 'keys/lonely.key'), 'utf8'), 'key');
  });

  test('a container whose making was never finished', async () => {
    await copyFile(place.container('v'), place.container('half'));
    await shareKey('half');
    await new Luks().writeGuard(place.container('half'), 'created');
    await refuses(helper.client.call(openRequest(engine, { name: 'half' })), 'volume-state', /never completed/);
  });

  test('another container than the registered one, and a copy under another name', async () => {
    await refuses(
      helper.client.call(openRequest(engine, { uuid: '00000000-0000-4000-8000-000000000000' })),
      'container-replaced',
    );
    await copyFile(place.container('v'), place.container('copy'));
    await shareKey('copy');
    await refuses(helper.client.call(openRequest(engine, { name: 'copy' })), 'volume-identity', /the volume v/);
  });

  test('a copy while the original is open: one UUID, two files', async () => {
    const { fd } = await helper.client.call(openRequest(engine));
    closeSync(fd);
    await assert.rejects(openAt(place.container('copy'), 'copy'), { code: 'volume-state' });
    await assert.rejects(helper.client.call({ verb: 'lock', name: 'copy' }), { code: 'volume-state' });
    const slam = helper.client.call({ verb: 'slam', name: 'copy', deadlineMs: 0 });
    await assert.rejects(slam, (error: ReelError) => {
      assert.deepEqual([error.code, error.details.acts], ['volume-state', []]);
      return true;
    });
    const { result, fd: again } = await helper.client.call({ verb: 'inspect', name: 'v', descriptor: true });
    closeSync(again);
    assert.equal(result.state, 'open');
    await helper.client.call({ verb: 'lock', name: 'v' });
    assert.deepEqual(await place.leftovers(), none);
  });

  if (engine === 'kernel')
    test('a mapping that lies on nothing any more: no longer open, and a lock takes all of it away', async () => {
      const { result, fd } = await helper.client.call(openRequest(engine));
      closeSync(fd);
      await run('dmsetup', ['wipe_table', path.basename(result.device ?? '')], { timeoutMs: 30_000 });
      const inspected = await helper.client.call({ verb: 'inspect', name: 'v', descriptor: false });
      assert.equal(inspected.result.state, 'stale');
      assert.match(inspected.result.problem?.got ?? '', /lies on nothing/);
      assert.equal((await helper.client.call({ verb: 'lock', name: 'v' })).result.state, 'locked');
      assert.deepEqual(await place.leftovers(), none);
      closeSync((await helper.client.call(openRequest(engine))).fd);
      await helper.client.call({ verb: 'lock', name: 'v' });
    });

  test('a container without a filesystem is refused and not formatted', async () => {
    const file = place.container('bare');
    await writeFile(file, '', { mode: 0o600 });
    await truncate(file, size);
    const key = await readFile(path.join(place.storage, 'keys/v.key'));
    await new Luks().format(file, key, { type: 'luks2', pbkdf });
    await shareKey('bare');
    const sum = await digest(file);
    await refuses(helper.client.call(openRequest(engine, { name: 'bare' })), 'volume-identity', /ext4/);
    assert.equal(await digest(file), sum);
  });

  test('a filesystem that only a person can repair', async () => {
    const created = await helper.client.call(createRequest(engine, { name: 'torn', open: true }));
    closeSync(created.fd);
    await run('sync', [], { timeoutMs: 60_000 });
    await run('umount', [created.result.mountPoint], { timeoutMs: 30_000 });
    // the root directory's inode, in the first inode table: not something to guess
    const { stdout } = await run('dumpe2fs', [created.result.device ?? ''], { timeoutMs: 30_000 });
    const table = Number(/Inode table at (\d+)/.exec(stdout.toString())?.[1]);
    const device = await open(created.result.device ?? '', 'r+');
    await device.write(Buffer.alloc(4096, 0xa5), 0, 4096, table * 4096);
    await device.sync();
    await device.close();
    await helper.client.call({ verb: 'lock', name: 'torn' });
    await refuses(helper.client.call(openRequest(engine, { name: 'torn' })), 'filesystem-damaged', /Repair by hand/);
  });

  test('something else mounted on the mount point', async () => {
    const point = path.join(place.mounts, 'v');
    await run('mount', ['-t', 'tmpfs', 'tmpfs', point], { timeoutMs: 10_000 });
    try {
      await assert.rejects(helper.client.call(openRequest(engine)), { code: 'volume-state' });
      assert.deepEqual((await place.leftovers()).mounts, [point]);
    } finally {
      await run('umount', [point], { timeoutMs: 10_000 });
    }
  });

  test('a damaged header', async () => {
    await copyFile(place.container('v'), place.container('damaged'));
    await shareKey('damaged');
    const file = await open(place.container('damaged'), 'r+');
    for (const offset of [4096, 0x4000 + 4096]) await file.write(Buffer.alloc(8192, 0xff), 0, 8192, offset);
    await file.close();
    await refuses(helper.client.call(openRequest(engine, { name: 'damaged' })), 'luks-damaged');
  });

  test('a key file that is gone, cut, or of another volume', async () => {
    const key = path.join(place.storage, 'keys/v.key');
    await rename(key, `${key}.aside`);
    await refuses(helper.client.call(openRequest(engine)), 'not-found', /key file/);
    await writeFile(key, Buffer.alloc(10));
    await refuses(helper.client.call(openRequest(engine)), 'wrong-key');
    await writeFile(key, Buffer.alloc(64));
    await refuses(helper.client.call(openRequest(engine)), 'wrong-key');
    await rename(`${key}.aside`, key);
  });

  test('a full disk leaves nothing behind, before and in the middle of a create', async () => {
    const image = path.join(place.root, 'small.img');
    const storage = path.join(place.root, 'small');
    const runtime = path.join(place.root, 'small-run');
    await writeFile(image, '');
    await truncate(image, 128 * 1024 * 1024);
    await run('mke2fs', ['-q', '-t', 'ext4', image], { timeoutMs: 30_000 });
    await mkdir(storage);
    await run('mount', ['-o', 'loop', image, storage], { timeoutMs: 30_000 });
    const filler = path.join(storage, 'filler');
    const steps: string[] = [];
    const server = await startHelper({
      datapath: [storage],
      runtime,
      service,
      log: pino({ level: 'silent' }),
      seams: {
        pbkdf,
        // Somebody else's files take the rest of the disk while the volume is being made.
        afterStep: (step) => {
          steps.push(step);
          if (step === 'attached') spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1M']);
        },
      },
    });
    const client = new HelperClient({ socketPath: helperSocket(runtime) });
    const left = async (): Promise<string[]> =>
      (
        await Promise.all(['containers', 'keys', 'headers', 'mount'].map((each) => readdir(path.join(storage, each))))
      ).flat();
    try {
      const large = client.call(createRequest(engine, { size: 120 * 1024 * 1024 }));
      await assert.rejects(large, { code: 'no-space' });
      assert.deepEqual([await left(), steps.at(-1)], [[], 'key']);
      await assert.rejects(client.call(createRequest(engine, { name: 'w' })), { code: 'no-space' });
      assert.deepEqual([steps.includes('identity'), steps.includes('backup')], [true, false]);
      assert.deepEqual(await left(), []);
    } finally {
      await server.close();
      await run('umount', [storage], { timeoutMs: 30_000 });
    }
    assert.deepEqual(await place.leftovers(), none);
  });
});
