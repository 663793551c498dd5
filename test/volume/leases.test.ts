/** Leases at the helper: who may do what through such a mount, what is refused, and what a crash leaves. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { run } from '../../src/exec/run.ts';
import type { Requests } from '../../src/helper/protocol.ts';
import { mountAt, readMounts } from '../../src/volume/mountinfo.ts';
import { createRequest, describeEngines, type Helper, openRequest, Place, service } from '../helper/harness.ts';

const consumer = { uid: 64_200, gid: 64_201 };
const other = { uid: 64_300, gid: 64_301 };
const timeoutMs = 10_000;

/** As an account without privileges; the answer is the exit code and what was printed. */
const as = async (account: { uid: number; gid: number }, command: string): Promise<{ code: number; out: string }> => {
  const drop = ['--reuid', String(account.uid), '--regid', String(account.gid), '--clear-groups'];
  // Not by `run`: there a program that tells of a filesystem that takes no writes has met a broken disk.
  const child = spawn('setpriv', [...drop, 'sh', '-c', command], {
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: timeoutMs,
  });
  const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return { code: Number(code), out };
};

await describeEngines('leases', (engine) => {
  let place: Place;
  let helper: Helper;
  let root: string;
  const children: ChildProcess[] = [];
  before(async () => {
    place = await Place.make();
    await chmod(place.root, 0o711);
    helper = await place.helper();
    const { fd } = await helper.client.call(createRequest(engine, { open: true }));
    closeSync(fd);
    root = path.join(place.mounts, 'v');
    await writeFile(path.join(root, 'dvr', 'reel.ts'), 'reel', { mode: 0o640 });
    await run('chown', [`${service.uid}:${service.gid}`, path.join(root, 'dvr', 'reel.ts')], { timeoutMs });
  });
  after(async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await place.destroy();
  });

  const lease = (more: Partial<Requests['lease-add']> = {}): Requests['lease-add'] & { verb: 'lease-add' } => ({
    ...{ verb: 'lease-add', name: 'v', consumer: 'nginx', path: 'dvr', readOnly: true, ...consumer },
    ...more,
  });
  const remove = (name: string) =>
    helper.client.call({ verb: 'lease-remove', name: 'v', consumer: name, keepPoint: false });
  const pointOf = (name: string): string => path.join(place.mounts, 'leases', 'v', name);

  test('a read-only lease of the recordings is read by the consumer, written by nobody and closed to others', async () => {
    const { result } = await helper.client.call(lease());
    assert.equal(result.mountPoint, pointOf('nginx'));
    const file = `${result.mountPoint}/reel.ts`;
    assert.deepEqual(await as(consumer, `cat ${file}`), { code: 0, out: 'reel' });
    assert.deepEqual(await as({ uid: other.uid, gid: consumer.gid }, `cat ${file}`), { code: 0, out: 'reel' });
    for (const command of [`touch ${result.mountPoint}/x`, `echo >> ${file}`, `rm -f ${file}`, `chmod 777 ${file}`]) {
      assert.notEqual((await as(consumer, command)).code, 0, command);
    }
    assert.notEqual((await as(other, `cat ${file}`)).code, 0);
    assert.notEqual((await as(consumer, `cat ${root}/dvr/reel.ts`)).code, 0, 'the volume itself stays closed');
    const options = mountAt(await readMounts(), result.mountPoint)?.options ?? [];
    for (const option of ['ro', 'nosuid', 'nodev', 'noexec']) assert.ok(options.includes(option), option);
    assert.deepEqual((await helper.client.call(lease())).result, result, 'the same lease again is its answer');
    const twice = (await readMounts()).filter(({ point }) => point === result.mountPoint);
    assert.equal(twice.length, 1);
    await assert.rejects(helper.client.call(lease({ path: 'vod' })), { code: 'already-exists' });
    await assert.rejects(helper.client.call(lease({ ...other })), { code: 'already-exists' });
    assert.deepEqual((await remove('nginx')).result, { removed: true });
    assert.deepEqual((await remove('nginx')).result, { removed: false });
    assert.deepEqual(await readdir(path.join(place.mounts, 'leases', 'v')), []);
  });

  test('a writable lease is a directory of the consumer, and what it writes there lies in the volume under its name', async () => {
    const { result } = await helper.client.call(lease({ consumer: 'rec', path: 'consumers/rec', readOnly: false }));
    assert.deepEqual(await as(consumer, `echo x > ${result.mountPoint}/a && cat ${result.mountPoint}/a`), {
      code: 0,
      out: 'x\n',
    });
    const { uid, gid } = await stat(path.join(root, 'consumers', 'rec', 'a'));
    assert.deepEqual({ uid, gid }, consumer);
    assert.equal((await stat(path.join(root, 'consumers', 'rec'))).mode & 0o777, 0o750);
    assert.notEqual((await as(other, `ls ${result.mountPoint}`)).code, 0);
    assert.notEqual((await as(consumer, `mkdir ${root}/consumers/mine`)).code, 0, 'consumers/ itself is not theirs');
    assert.equal((await as(consumer, `cp /bin/true ${result.mountPoint}/p && ${result.mountPoint}/p`)).code, 126);
    await remove('rec');
    assert.deepEqual(await readdir(path.join(root, 'consumers', 'rec')), ['a', 'p']);
  });

  test('a writable lease of a directory of the service writes as the service', async () => {
    await helper.client.call(lease({ consumer: 'upload', path: 'vod', readOnly: false }));
    assert.equal((await as(consumer, `echo x > ${pointOf('upload')}/film`)).code, 0);
    const { uid, gid } = await stat(path.join(root, 'vod', 'film'));
    assert.deepEqual({ uid, gid }, service);
    await remove('upload');
  });

  test('no writable lease of recordings, of what is not in the volume, of links, or of what is no directory', async () => {
    for (const writable of ['.', 'dvr', 'dvr/x', '.reelvault', 'lost+found', 'consumers']) {
      await assert.rejects(helper.client.call(lease({ path: writable, readOnly: false })), { code: 'forbidden' });
    }
    await symlink('/etc', path.join(root, 'vod', 'link'));
    await symlink('../dvr', path.join(root, 'vod', 'inner'));
    const outside = ['..', '/etc', 'vod/../..', 'vod/link', 'vod/link/ssl', 'vod/inner', 'vod/film'];
    for (const readOnly of [true, false]) {
      for (const hostile of outside) {
        const failed = await helper.client.call(lease({ path: hostile, readOnly })).catch((error: unknown) => error);
        assert.ok(failed instanceof Error, hostile);
        assert.ok(['path-outside', 'path-invalid'].includes((failed as Error & { code: string }).code), hostile);
      }
    }
    await assert.rejects(helper.client.call(lease({ path: 'vod/none' })), { code: 'not-found' });
    for (const bad of ['', '..', 'a/b', 'A', 'x'.repeat(64), 'a b']) {
      await assert.rejects(helper.client.call(lease({ consumer: bad })), { code: 'invalid-argument' });
    }
    await assert.rejects(helper.client.call(lease({ uid: 0 })), { code: 'invalid-argument' });
    assert.deepEqual((await helper.client.call({ verb: 'lease-list', name: 'v' })).result.leases, []);
    assert.deepEqual(await readdir(path.join(place.mounts, 'leases', 'v')), [], 'no mount point stays behind');
  });

  test('a directory that is swapped for a link meanwhile never leads a lease out of the volume', async () => {
    const inside = path.join(root, 'vod', 'swapped');
    await mkdir(inside);
    await symlink('/etc', path.join(root, 'vod', 'bait'));
    const end = new AbortController();
    const swapping = (async () => {
      while (!end.signal.aborted) {
        await rename(inside, `${inside}.away`);
        await rename(path.join(root, 'vod', 'bait'), inside);
        await rename(inside, path.join(root, 'vod', 'bait'));
        await rename(`${inside}.away`, inside);
      }
    })();
    const device = mountAt(await readMounts(), root)?.device;
    const counts = { mounted: 0, refused: 0 };
    for (let round = 0; round < 30; round += 1) {
      const answer = await helper.client
        .call(lease({ consumer: 'race', path: 'vod/swapped', readOnly: round % 2 === 0 }))
        .catch((error: unknown) => error);
      if (answer instanceof Error) counts.refused += 1;
      else counts.mounted += 1;
      const mount = mountAt(await readMounts(), pointOf('race'));
      if (mount !== undefined) assert.deepEqual([mount.device, mount.root.startsWith('/vod/swapped')], [device, true]);
      await remove('race');
    }
    end.abort();
    await swapping;
    await rm(inside, { recursive: true });
    assert.ok(counts.mounted + counts.refused === 30 && counts.refused > 0, JSON.stringify(counts));
  });

  test('the mount point is empty and takes no write while the lease is away; a lock under a lease is refused', async () => {
    await helper.client.call(lease({ consumer: 'rec', path: 'consumers/rec', readOnly: false }));
    const busy = await helper.client.call({ verb: 'lock', name: 'v' }).catch((error: unknown) => error);
    assert.equal((busy as Error & { code: string }).code, 'volume-busy');
    const { leases } = (busy as { details: { leases: { consumer: string }[] } }).details;
    assert.deepEqual(
      leases.map((each) => each.consumer),
      ['rec'],
    );
    assert.equal((await helper.client.call({ verb: 'inspect', name: 'v', descriptor: false })).result.state, 'open');
    const holder = spawn('sleep', ['600'], { cwd: pointOf('rec') });
    children.push(holder);
    await once(holder, 'spawn');
    const held = await helper.client
      .call({ verb: 'lease-remove', name: 'v', consumer: 'rec', keepPoint: true })
      .catch((error: unknown) => error);
    const { holders } = (held as { details: { holders: { pid: number; how: string; user: string }[] } }).details;
    assert.deepEqual(
      holders.map(({ pid, how, user }) => [pid, how, user]),
      [[holder.pid, 'directory', 'root']],
    );
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await helper.client.call({ verb: 'lease-remove', name: 'v', consumer: 'rec', keepPoint: true });
    assert.notEqual((await as(consumer, `echo x > ${pointOf('rec')}/lost`)).code, 0);
    await assert.rejects(writeFile(path.join(pointOf('rec'), 'lost'), 'by root'), { code: 'EPERM' });
    assert.deepEqual(await readdir(pointOf('rec')), []);
    await helper.client.call({ verb: 'lock', name: 'v' });
    closeSync((await helper.client.call(openRequest(engine))).fd);
    await helper.client.call(lease({ consumer: 'rec', path: 'consumers/rec', readOnly: false }));
    assert.equal((await as(consumer, `cat ${pointOf('rec')}/a`)).out, 'x\n');
    await remove('rec');
  });

  for (const step of ['lease-point', 'lease-mounted']) {
    test(`killed after "${step}": the next helper finds what is there, and the same call again succeeds`, async () => {
      await helper.stop();
      const dying = await place.helper({ crashAfter: step });
      await assert.rejects(dying.client.call(lease()), { code: 'helper-unavailable' });
      assert.equal(await dying.ended, 'SIGKILL');
      helper = await place.helper();
      const { leases } = (await helper.client.call({ verb: 'lease-list', name: 'v' })).result;
      assert.equal(leases.length, step === 'lease-mounted' ? 1 : 0);
      await helper.client.call(lease());
      assert.equal((await as(consumer, `cat ${pointOf('nginx')}/reel.ts`)).out, 'reel');
      await remove('nginx');
    });
  }
});
