/** What `create` can be told: filesystem, label, owner, sparse, sectors, cipher, dm-crypt's switches; and what is refused, for which engine. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync } from 'node:fs';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { ReelError } from '../../src/errors.ts';
import { run } from '../../src/exec/run.ts';
import type { Requests } from '../../src/helper/protocol.ts';
import { Luks } from '../../src/luks/luks.ts';
import {
  createRequest,
  describeEngines,
  type Helper,
  nothingLeft,
  openRequest,
  Place,
  service,
} from '../helper/harness.ts';

const MiB = 1024 * 1024;
/** mkfs.xfs makes none below 300 MiB. */
const xfs = { filesystem: 'xfs', size: 320 * MiB } as const;
const quick = { timeoutMs: 60_000 };

await describeEngines('create options', (engine) => {
  let place: Place;
  let helper: Helper;
  before(async () => {
    place = await Place.make();
    helper = await place.helper();
  });
  after(() => place.destroy());

  const create = (name: string, more: Partial<Requests['create']>) =>
    helper.client.call(createRequest(engine, { name, open: true, ...more }));
  const lock = async (name: string): Promise<void> => {
    await helper.client.call({ verb: 'lock', name });
    assert.deepEqual(await place.leftovers(), nothingLeft);
  };
  const label = async (device: string | null): Promise<string> =>
    (await run('blkid', ['-p', '-s', 'LABEL', '-o', 'value', device ?? ''], quick)).stdout.toString().trim();

  test('owner, group and mode of the root, and the label, on both filesystems; the service has its directories as ever', async () => {
    for (const [name, more] of [['e', {}] as const, ['x', xfs] as const]) {
      const { result, fd } = await create(name, {
        ...more,
        owner: 33,
        group: 44,
        mode: 0o2750,
        label: `reels-${name}`,
      });
      assert.equal(result.filesystem, more.filesystem ?? 'ext4');
      if (engine === 'userspace') {
        // `ps` and `volume holders` show the block plane with a path that exists, and not with the one it was made under
        const line = await readFile(`/proc/${result.blockPid}/cmdline`, 'utf8');
        assert.equal(line.split('\0')[line.split('\0').indexOf('--container') + 1], place.container(name));
      }
      const root = await stat(`/proc/self/fd/${fd}/.`);
      assert.deepEqual([root.uid, root.gid, root.mode & 0o7777], [33, 44, 0o2750]);
      assert.equal((await stat(`/proc/self/fd/${fd}/dvr`)).mode & 0o777, 0o750);
      assert.equal(await label(result.device), `reels-${name}`);
      assert.equal((await new Luks().dump(place.container(name))).label, `reels-${name}`);
      assert.ok((result.available ?? 0) > 0 && (result.available ?? 0) <= (result.capacity ?? 0));
      assert.equal(result.netSize, (more.size ?? result.size ?? 0) - 16 * MiB);
      await writeFile(`/proc/self/fd/${fd}/dvr/x`, name);
      closeSync(fd);
      await lock(name);
      const again = await helper.client.call(openRequest(engine, { name }));
      assert.equal(await readFile(`/proc/self/fd/${again.fd}/dvr/x`, 'utf8'), name);
      closeSync(again.fd);
      await lock(name);
    }
  });

  test('where the mode keeps others out, the service passes the root to its own directories, and nobody gets more', async () => {
    const can = ({ uid, gid }: typeof service, fd: number, ...command: string[]): boolean =>
      spawnSync('setpriv', ['--reuid', `${uid}`, '--regid', `${gid}`, '--clear-groups', ...command], {
        cwd: `/proc/self/fd/${fd}`,
      }).status === 0;
    const member = { uid: 4711, gid: 44 };
    for (const [name, mode, more] of [
      ['closed', 0o700, {}] as const,
      ['shared', 0o2770, {}] as const,
      ['closed-x', 0o700, xfs] as const,
    ]) {
      const { fd } = await create(name, { ...more, owner: 33, group: 44, mode });
      assert.ok(can(service, fd, 'touch', '.reelvault/open'), `${name}: the service cannot record`);
      assert.ok(!can(service, fd, 'ls', '.'), `${name}: the service lists the root`);
      assert.ok(!can(service, fd, 'touch', 'file'), `${name}: the service writes into the root`);
      assert.ok(!can({ uid: 4711, gid: 4711 }, fd, 'stat', 'dvr'), `${name}: others get through`);
      assert.equal(can(member, fd, 'touch', 'file'), mode === 0o2770, name);
      assert.equal(can(member, fd, 'stat', 'dvr'), mode === 0o2770, name);
      closeSync(fd);
      await lock(name);
    }
  });

  test('xfs opened read-only: nothing changes, and a log that must be replayed is refused', async () => {
    const readOnly = openRequest(engine, { name: 'x', readOnly: true });
    const clean = await helper.client.call(readOnly);
    assert.equal(await readFile(`/proc/self/fd/${clean.fd}/dvr/x`, 'utf8'), 'x');
    closeSync(clean.fd);
    await lock('x');
    const { result, fd } = await helper.client.call(openRequest(engine, { name: 'x' }));
    await writeFile(`/proc/self/fd/${fd}/dvr/y`, 'y', { flush: true });
    // As a power cut leaves it: the log has everything, its places nothing yet.
    await run('xfs_io', ['-x', '-c', 'shutdown -f', result.mountPoint], quick);
    closeSync(fd);
    await run('umount', [result.mountPoint], quick);
    await lock('x');
    await assert.rejects(helper.client.call(readOnly), { code: 'volume-state', message: /journal/ });
    assert.deepEqual(await place.leftovers(), nothingLeft);
    const mended = await helper.client.call(openRequest(engine, { name: 'x' }));
    assert.equal(await readFile(`/proc/self/fd/${mended.fd}/dvr/y`, 'utf8'), 'y');
    closeSync(mended.fd);
    await lock('x');
  });

  test('an xfs that only a person can repair', async () => {
    const { result, fd } = await helper.client.call(openRequest(engine, { name: 'x' }));
    closeSync(fd);
    await run('umount', [result.mountPoint], quick);
    const device = await open(result.device ?? '', 'r+');
    // the free-space and inode headers of the first allocation group, in the sectors behind its superblock
    await device.write(Buffer.alloc(3 * 4096, 0xa5), 0, 3 * 4096, 4096);
    await device.sync();
    await device.close();
    await lock('x');
    await assert.rejects(helper.client.call(openRequest(engine, { name: 'x' })), (error: ReelError) => {
      assert.equal(error.code, 'filesystem-damaged', error.message);
      return true;
    });
    assert.deepEqual(await place.leftovers(), nothingLeft);
  });

  test('a sparse container has holes and says so; any other has none', async () => {
    const size = 512 * MiB;
    for (const sparse of [true, false]) {
      const { result, fd } = await create(`sparse-${sparse}`, { size, sparse });
      closeSync(fd);
      const { blocks } = await stat(place.container(`sparse-${sparse}`));
      assert.deepEqual([result.sparse, blocks * 512 < size / 2, blocks * 512 >= size], [sparse, sparse, !sparse]);
      await lock(`sparse-${sparse}`);
    }
  });

  test('sector sizes and key lengths', async () => {
    for (const [sectorSize, keyBits] of [
      [512, 256],
      [2048, 512],
    ] as const) {
      const name = `s${sectorSize}`;
      const { result, fd } = await create(name, { sectorSize, keyBits });
      assert.deepEqual([result.sectorSize, result.keyBits], [sectorSize, keyBits]);
      await writeFile(`/proc/self/fd/${fd}/dvr/x`, 'kept');
      closeSync(fd);
      await lock(name);
      const { fd: again } = await helper.client.call(openRequest(engine, { name }));
      assert.equal(await readFile(`/proc/self/fd/${again}/dvr/x`, 'utf8'), 'kept');
      closeSync(again);
      await lock(name);
    }
  });

  test('what cannot be, or not with this engine, is refused before anything is made', async () => {
    const ofKernel: Partial<Requests['create']>[] = [
      { cipher: 'serpent-xts-plain64' },
      { performance: ['same_cpu_crypt'] },
      { discard: true, sparse: true },
    ];
    const wrong: Partial<Requests['create']>[] = [
      { type: 'luks1', sectorSize: 4096 },
      { filesystem: 'xfs' },
      { filesystem: 'xfs', size: 320 * MiB, label: 'thirteen-long' },
      { discard: true },
      { label: 'no spaces' },
      ...(engine === 'userspace' ? ofKernel : []),
    ];
    for (const more of wrong)
      await assert.rejects(create('wrong', more), { code: 'invalid-argument' }, JSON.stringify(more));
    assert.equal(
      (await helper.client.call({ verb: 'inspect', name: 'wrong', descriptor: false })).result.state,
      'absent',
    );
  });

  // the switches are dm-crypt's
  const testKernel = engine === 'kernel' ? test : undefined;
  testKernel?.('switches of dm-crypt are in its table, at create and at each open', async () => {
    const attach: Pick<Requests['open'], 'performance' | 'discard'> = {
      performance: ['no_read_workqueue', 'no_write_workqueue', 'same_cpu_crypt', 'submit_from_crypt_cpus'],
      discard: true,
    };
    const table = async (): Promise<string> => (await run('dmsetup', ['table'], quick)).stdout.toString();
    const prove = async (): Promise<void> => {
      const text = await table();
      for (const flag of [...(attach.performance ?? []), 'allow_discards'])
        assert.match(text, new RegExp(`\\b${flag}\\b`));
    };
    const { fd } = await create('fast', { ...attach, sparse: true });
    await prove();
    closeSync(fd);
    await lock('fast');
    const opened = await helper.client.call(openRequest(engine, { name: 'fast', ...attach }));
    await prove();
    // What is deleted is given back: the container has as many blocks as before.
    const before_ = (await stat(place.container('fast'))).blocks;
    await run(
      'dd',
      ['if=/dev/urandom', `of=${opened.result.mountPoint}/big`, 'bs=1M', 'count=16', 'conv=fsync'],
      quick,
    );
    assert.ok((await stat(place.container('fast'))).blocks >= before_ + (16 * MiB) / 512);
    await run('rm', [`${opened.result.mountPoint}/big`], quick);
    await run('sync', ['--file-system', opened.result.mountPoint], quick);
    assert.ok(
      (await stat(place.container('fast'))).blocks < before_ + (8 * MiB) / 512,
      'the blocks were not given back',
    );
    closeSync(opened.fd);
    await lock('fast');
    const plain = await helper.client.call(openRequest(engine, { name: 'fast' }));
    assert.doesNotMatch(await table(), /workqueue|allow_discards/);
    closeSync(plain.fd);
    await lock('fast');
  });
});
