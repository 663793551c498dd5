/** A volume that is opened read-only: nothing of it changes, it cannot be taken for one that failed, and it is opened otherwise only after a lock. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { run } from '../../src/exec/run.ts';
import { createRequest, describeEngines, type Helper, nothingLeft, openRequest, Place } from '../helper/harness.ts';

const digest = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

await describeEngines('read-only', (engine) => {
  let place: Place;
  let helper: Helper;
  before(async () => {
    place = await Place.make();
    helper = await place.helper();
    const { fd } = await helper.client.call(createRequest(engine, { open: true }));
    await writeFile(`/proc/self/fd/${fd}/dvr/x`, 'kept');
    closeSync(fd);
    await helper.client.call({ verb: 'lock', name: 'v' });
  });
  after(() => place.destroy());

  const openReadOnly = () => helper.client.call(openRequest(engine, { readOnly: true }));
  const lock = () => helper.client.call({ verb: 'lock', name: 'v' });

  test('what was recorded can be read, nothing can be written, and not one byte of the container changes', async () => {
    const sum = await digest(place.container('v'));
    const { result, fd } = await openReadOnly();
    assert.deepEqual([result.state, result.access, result.readOnly, result.problem], ['open', 'readOnly', null, null]);
    assert.equal(result.directIo, true);
    assert.equal(await readFile(`/proc/self/fd/${fd}/dvr/x`, 'utf8'), 'kept');
    await assert.rejects(writeFile(`/proc/self/fd/${fd}/dvr/y`, 'y'), { code: 'EROFS' });
    closeSync(fd);
    const device = result.device ?? '';
    // The kernel refuses at the open, or at the write.
    await assert.rejects(
      run('dd', ['if=/dev/zero', `of=${device}`, 'bs=4096', 'count=1', 'conv=fsync'], { timeoutMs: 30_000 }),
    );
    const { result: found, fd: again } = await helper.client.call({ verb: 'inspect', name: 'v', descriptor: true });
    closeSync(again);
    assert.deepEqual([found.state, found.access, found.readOnly], ['open', 'readOnly', null]);
    await lock();
    assert.deepEqual(await place.leftovers(), nothingLeft);
    assert.equal(await digest(place.container('v')), sum);
  });

  test('a writable lease is refused for what it is, and a refused lease leaves no directory', async () => {
    closeSync((await openReadOnly()).fd);
    const account = { uid: 64_200, gid: 64_201 };
    const lease = { verb: 'lease-add', name: 'v', consumer: 'rec', ...account } as const;
    const writable = helper.client.call({ ...lease, path: 'consumers/rec', readOnly: false });
    await assert.rejects(writable, { code: 'volume-state', message: /open read-only.*make the lease read-only/ });
    await assert.rejects(helper.client.call({ ...lease, path: 'vod/none', readOnly: true }), { code: 'not-found' });
    assert.deepEqual(await readdir(path.join(place.mounts, 'leases')), []);
    await helper.client.call({ ...lease, path: 'dvr', readOnly: true });
    assert.deepEqual(await readdir(path.join(place.mounts, 'leases', 'v')), ['rec']);
    await helper.client.call({ verb: 'lease-remove', name: 'v', consumer: 'rec', keepPoint: false });
    await lock();
  });

  test('an open volume is not changed under its users: the other way to open it needs a lock', async () => {
    closeSync((await openReadOnly()).fd);
    closeSync((await openReadOnly()).fd);
    await assert.rejects(helper.client.call(openRequest(engine)), { code: 'volume-state' });
    await lock();
    closeSync((await helper.client.call(openRequest(engine))).fd);
    await assert.rejects(openReadOnly(), { code: 'volume-state' });
    const { result } = await helper.client.call({ verb: 'inspect', name: 'v', descriptor: false });
    assert.deepEqual([result.state, result.access], ['open', 'readWrite']);
    await lock();
  });

  test('a filesystem whose journal must be replayed is refused, and one open for writing mends that', async () => {
    const { result, fd } = await helper.client.call(openRequest(engine));
    closeSync(fd);
    // As a power cut leaves it: what is on the disk while it is mounted.
    const image = await readFile(result.device ?? '');
    await lock();
    // Another device, maybe: somebody else may have taken the number meanwhile.
    const again = await helper.client.call(openRequest(engine));
    closeSync(again.fd);
    await run('umount', [again.result.mountPoint], { timeoutMs: 30_000 });
    await writeFile(again.result.device ?? '', image);
    await run('sync', [], { timeoutMs: 60_000 });
    await lock();
    const sum = await digest(place.container('v'));
    await assert.rejects(openReadOnly(), { code: 'volume-state', message: /journal/ });
    assert.equal(await digest(place.container('v')), sum);
    assert.deepEqual(await place.leftovers(), nothingLeft);
    closeSync((await helper.client.call(openRequest(engine))).fd);
    await lock();
    closeSync((await openReadOnly()).fd);
    await lock();
  });
});
