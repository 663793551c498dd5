/** Containers on block devices: the whole life of a volume, and everything that must never happen to a disk by mistake. */
import assert from 'node:assert/strict';
import { closeSync, readFileSync, writeFileSync } from 'node:fs';
import { chmod, cp, mkdir, open, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { ErrorCode, ReelError } from '../../../src/errors.ts';
import { run } from '../../../src/exec/run.ts';
import type { Requests } from '../../../src/helper/protocol.ts';
import {
  createRequest,
  describeEngines,
  type Helper,
  nothingLeft,
  openRequest,
  Place,
  shorter,
  size,
} from '../../helper/harness.ts';
import { type Disk, Disks } from './disks.ts';

const quick = { timeoutMs: 30_000 };
const header = 16 * 1024 * 1024;

/** The first bytes of a disk: whether anything wrote to it. */
const begin = (disk: Disk): Buffer => readFileSync(disk.image).subarray(0, 2 * header);

await describeEngines('a block device as container', (engine) => {
  let place: Place;
  let disks: Disks;
  let helper: Helper;
  const start = async (crashAfter?: string): Promise<void> => {
    helper = await place.helper({
      devices: [disks.directory],
      ...(crashAfter === undefined ? {} : { crashAfter }),
    });
  };
  beforeEach(async () => {
    place = await Place.make();
    disks = await Disks.make();
    await start();
  });
  afterEach(async () => {
    await place.destroy();
    await disks.destroy();
  });

  const create = (disk: string, more: Partial<Requests['create']> = {}): Requests['create'] => {
    const { size: _, ...request } = createRequest(engine);
    return { ...request, device: disk, ...more };
  };
  const on = (disk: Disk) => ({ name: 'v', container: disk.name });
  const destroy = async (disk: Disk): Promise<void> => {
    await helper.client.call({ verb: 'destroy', ...on(disk), confirm: 'v' });
  };
  const refused = async (request: Requests['create'], code: ErrorCode, words: RegExp): Promise<void> => {
    await assert.rejects(helper.client.call(request), (error: ReelError) => {
      assert.deepEqual([error.code, words.test(error.message)], [code, true], `${error.code}: ${error.message}`);
      return true;
    });
    assert.deepEqual(await readdir(path.join(place.storage, 'containers')), []);
    assert.deepEqual(await place.leftovers(), nothingLeft);
  };

  for (const [type, blockSize] of [
    ['luks2', 512],
    ['luks2', 4096],
    ['luks1', 4096],
  ] as const)
    test(`${type} on blocks of ${blockSize}: create, open, write, lock, open read-only, keys, header, destroy`, async () => {
      const disk = await disks.add(size, '--sector-size', String(blockSize));
      const created = await helper.client.call(create(disk.name, { type }));
      assert.deepEqual([created.result.state, created.result.size, created.result.sparse], ['locked', size, false]);
      assert.deepEqual(await place.leftovers(), nothingLeft);

      const opened = await helper.client.call(openRequest(engine, { container: disk.name, size }));
      assert.deepEqual(
        [opened.result.state, opened.result.container, opened.result.directIo],
        ['open', disk.name, true],
      );
      assert.equal(opened.result.netSize, size - (type === 'luks2' ? header : 2 * 1024 * 1024));
      writeFileSync(`/proc/self/fd/${opened.fd}/dvr/marker`, 'plaintext marker 4711');
      closeSync(opened.fd);
      // the device has one user
      await assert.rejects(run('mkfs.ext4', ['-q', '-F', disk.node], quick), /in use/);
      await helper.client.call({ verb: 'lock', ...on(disk) });
      assert.deepEqual(await place.leftovers(), nothingLeft);
      assert.equal(readFileSync(disk.image).includes('plaintext marker 4711'), false);

      const before = readFileSync(disk.image);
      const again = await helper.client.call(openRequest(engine, { container: disk.name, readOnly: true }));
      assert.equal(await readFile(`/proc/self/fd/${again.fd}/dvr/marker`, 'utf8'), 'plaintext marker 4711');
      closeSync(again.fd);
      await helper.client.call({ verb: 'lock', ...on(disk) });
      assert.ok(readFileSync(disk.image).equals(before), 'a read-only open wrote');

      const { result: rotated } = await helper.client.call({ verb: 'keys-rotate', ...on(disk) });
      assert.equal(rotated.added, true);
      const compared = await helper.client.call({ verb: 'header-compare', ...on(disk) });
      assert.equal(compared.result.same, true);
      const checked = await helper.client.call({ verb: 'header-check', ...on(disk), size });
      assert.deepEqual([checked.result.state.uuid, checked.result.size], [created.result.uuid, size]);

      const { result: report } = await helper.client.call({ verb: 'destroy', ...on(disk), confirm: 'v' });
      assert.equal(report.containerBytes, 0);
      assert.ok(report.headerBytes >= 2 * 1024 * 1024);
      assert.match(report.notes.join(), new RegExp(`the block device ${disk.name} stays`));
      assert.equal((await run('wipefs', ['--no-act', disk.node], quick)).stdout.toString(), '');
      for (const directory of ['containers', 'keys', 'headers']) {
        assert.deepEqual(await readdir(path.join(place.storage, directory)), []);
      }
    });

  test('a header that was overwritten comes back from its backup', async () => {
    const disk = await disks.add(size);
    const { result } = await helper.client.call(create(disk.name));
    await run('dd', ['if=/dev/zero', `of=${disk.node}`, 'bs=1M', 'count=16', 'conv=fsync', 'status=none'], quick);
    const uuid = result.uuid ?? '';
    await helper.client.call({ verb: 'header-restore', ...on(disk), uuid, force: false });
    const { fd } = await helper.client.call(openRequest(engine, { container: disk.name, uuid }));
    closeSync(fd);
    await helper.client.call({ verb: 'lock', ...on(disk) });
    await destroy(disk);
  });

  test('not a device that the service was not given, however it is spelt', async () => {
    const disk = await disks.add(size);
    await refused(create(disk.node), 'device-refused', /REELVAULT_DEVICES/);
    await refused(create(`${disks.directory}../${path.basename(disk.node)}`), 'device-refused', /REELVAULT_DEVICES/);
    await refused(create(`${disks.directory}deep/er`), 'device-refused', /REELVAULT_DEVICES/);
    await assert.rejects(helper.client.call(openRequest(engine, { container: disk.node })), { code: 'device-refused' });
    assert.ok(begin(disk).every((byte) => byte === 0));
  });

  test('not a file, not a character device, not what is not there, not a link that others can change', async () => {
    const disk = await disks.add(size);
    const file = path.join(disks.directory, 'file');
    await writeFile(file, Buffer.alloc(1024));
    await refused(create(file), 'device-refused', /a block device/);
    await disks.lead(disk, '/dev/zero');
    await refused(create(disk.name), 'device-refused', /a block device/);
    await disks.lead(disk, disk.image);
    await refused(create(disk.name), 'device-refused', /below \/dev|only root/);
    await disks.lead(disk);
    await refused(create(disk.name), 'not-found', /none of this name/);
    const everybodys = path.join(disks.directory, 'everybodys');
    await mkdir(everybodys);
    await chmod(everybodys, 0o777);
    await symlink(disk.node, path.join(everybodys, 'disk'));
    await disks.lead(disk, path.join(everybodys, 'disk'));
    await refused(create(disk.name), 'device-refused', /only root/);
    await disks.lead(disk, disk.name);
    await refused(create(disk.name), 'device-refused', /circle/);
    assert.ok(begin(disk).every((byte) => byte === 0));
  });

  test('not a device that is mounted, that something holds, that takes no writes, or that is too small', async () => {
    const disk = await disks.add(size);
    await run('mkfs.ext4', ['-q', disk.node], quick);
    const point = `${disk.image}.mounted`;
    await mkdir(point);
    await run('mount', [disk.node, point], quick);
    const overwriteSignatures = ['ext4'];
    try {
      await refused(create(disk.name, { overwriteSignatures }), 'device-in-use', /mounted at .*\.mounted/);
    } finally {
      await run('umount', [point], quick);
    }
    const holder = await disks.attach(disk.node);
    await refused(create(disk.name, { overwriteSignatures }), 'device-in-use', new RegExp(holder));
    await run('losetup', ['--detach', holder], quick);
    // by somebody whom no table of the kernel names
    const exclusive = await open(disk.node, 0o200);
    try {
      await refused(create(disk.name, { overwriteSignatures }), 'device-in-use', /fuser/);
    } finally {
      await exclusive.close();
    }
    const readOnly = await disks.add(size, '--read-only');
    await refused(create(readOnly.name), 'device-refused', /read-only/);
    const small = await disks.add(8 * 1024 * 1024);
    await refused(create(small.name), 'invalid-argument', /\(48 MiB\) or more/);
  });

  test('not a device with data on it, unless exactly what lies there is named', async () => {
    const disk = await disks.add(size);
    await run('mkfs.ext4', ['-q', '-L', 'holiday', disk.node], quick);
    const before = begin(disk);
    await refused(create(disk.name), 'device-not-empty', /ext4 "holiday".*--overwrite-signature ext4/);
    await refused(create(disk.name, { overwriteSignatures: ['xfs'] }), 'device-not-empty', /ext4/);
    await refused(create(disk.name, { overwriteSignatures: ['ext4', 'xfs'] }), 'device-not-empty', /ext4/);
    assert.ok(begin(disk).equals(before), 'a refusal wrote');
    await helper.client.call(create(disk.name, { overwriteSignatures: ['ext4'] }));

    // and not a container, of ours or not
    await refusedBecauseOfVolume(disk);
    await destroy(disk);
    await refused(create(disk.name, { overwriteSignatures: ['ext4'] }), 'device-not-empty', /got nothing/);

    const partitioned = await disks.add(size);
    // a DOS partition table: one entry and the signature at the end of its sector
    const table = Buffer.alloc(512);
    table.set([0x80, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0, 1, 0], 446);
    table.set([0x55, 0xaa], 510);
    writeFileSync(partitioned.image, table, { flag: 'r+' });
    await refused(create(partitioned.name), 'device-not-empty', /--overwrite-signature dos/);
    await helper.client.call(create(partitioned.name, { overwriteSignatures: ['dos'] }));
    await destroy(partitioned);
  });

  const refusedBecauseOfVolume = async (disk: Disk): Promise<void> => {
    const before = begin(disk);
    await assert.rejects(helper.client.call(create(disk.name, { name: 'w' })), {
      code: 'device-not-empty',
      message: /crypto_LUKS/,
    });
    const { fd } = await helper.client.call(openRequest(engine, { container: disk.name }));
    closeSync(fd);
    const other = create(disk.name, { name: 'w', overwriteSignatures: ['crypto_LUKS'] });
    await assert.rejects(helper.client.call(other), { code: 'device-in-use' });
    await helper.client.call({ verb: 'lock', ...on(disk) });
    assert.ok(begin(disk).subarray(0, header).equals(before.subarray(0, header)), 'a refusal wrote');
  };

  test('options that do not go with a device', async () => {
    const disk = await disks.add(size);
    const none: Partial<Requests['create']>[] = [{ size }, { sparse: true }];
    for (const more of none) await refused(create(disk.name, more), 'invalid-argument', /./);
    await refused({ ...createRequest(engine), overwriteSignatures: ['ext4'] }, 'invalid-argument', /block device/);
    await refused(create(path.join(place.storage, 'x')), 'invalid-argument', /./);
  });

  test('another device under the name of an open volume, with a copy of its container: hands off both', async () => {
    const disk = await disks.add(size);
    const { result } = await helper.client.call(create(disk.name));
    const copy = `${disk.image}.copy`;
    await cp(disk.image, copy);
    const other = await disks.attach(copy);
    closeSync((await helper.client.call(openRequest(engine, { container: disk.name }))).fd);
    await disks.lead(disk, other);
    const { result: seen } = await helper.client.call({ verb: 'inspect', ...on(disk), descriptor: false });
    assert.equal(seen.state, 'stale');
    await assert.rejects(helper.client.call({ verb: 'lock', ...on(disk) }), { code: 'volume-state' });
    await disks.lead(disk, disk.node);
    await helper.client.call({ verb: 'lock', ...on(disk) });
    assert.deepEqual(await place.leftovers(), nothingLeft);
    // and another container is not opened
    const strange = await disks.add(size);
    await run(
      'cryptsetup',
      ['luksFormat', '-q', '--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', strange.node, '-'],
      {
        ...quick,
        input: Buffer.from('x'),
      },
    );
    await disks.lead(disk, strange.node);
    const uuid = result.uuid ?? '';
    await assert.rejects(helper.client.call(openRequest(engine, { container: disk.name, uuid })), {
      code: 'container-replaced',
    });
    await disks.lead(disk, disk.node);
    await destroy(disk);
  });

  test('a device whose name goes away under an open volume: it can be locked', async () => {
    const disk = await disks.add(size);
    await helper.client.call(create(disk.name));
    closeSync((await helper.client.call(openRequest(engine, { container: disk.name }))).fd);
    await disks.lead(disk);
    const { result: seen } = await helper.client.call({ verb: 'inspect', ...on(disk), descriptor: false });
    assert.deepEqual([seen.state, seen.problem?.code], ['stale', 'container-changed']);
    await assert.rejects(helper.client.call(openRequest(engine, { container: disk.name })), { code: 'not-found' });
    assert.equal((await helper.client.call({ verb: 'lock', ...on(disk) })).result.state, 'absent');
    assert.deepEqual(await place.leftovers(), nothingLeft);
    await disks.lead(disk, disk.node);
    closeSync((await helper.client.call(openRequest(engine, { container: disk.name }))).fd);
    await helper.client.call({ verb: 'lock', ...on(disk) });
    await destroy(disk);
  });

  test('a device that became larger: the open volume grows to it, without a size', async () => {
    const disk = await disks.add(size);
    await helper.client.call(create(disk.name));
    await assert.rejects(helper.client.call({ verb: 'grow', ...on(disk) }), { code: 'volume-state' });
    closeSync((await helper.client.call(openRequest(engine, { container: disk.name }))).fd);
    await assert.rejects(helper.client.call({ verb: 'grow', ...on(disk), size: 2 * size }), {
      code: 'invalid-argument',
    });
    await disks.lengthen(disk, 2 * size);
    const { result } = await helper.client.call({ verb: 'grow', ...on(disk) });
    assert.deepEqual([result.grown.from, result.grown.to], [size, 2 * size]);
    assert.equal(result.netSize, 2 * size - header);
    await helper.client.call({ verb: 'lock', ...on(disk) });
    // where only an unmounted ext4 may grow, it does now
    const opened = await helper.client.call(openRequest(engine, { container: disk.name, size: 2 * size }));
    closeSync(opened.fd);
    const { result: done } = await helper.client.call({ verb: 'grow', ...on(disk) });
    assert.equal(done.grown.filesystem, 'grown');
    assert.ok((done.capacity ?? 0) > size);
    assert.equal(done.growing, null);
    await helper.client.call({ verb: 'lock', ...on(disk) });
    await destroy(disk);
  });

  for (const step of shorter(['journalled', 'allocated', 'formatted', 'attached', 'mounted', 'backup', 'half-named']))
    test(`a helper that is killed after ${step} of a create: taken away by a lock, and made by the next`, async () => {
      const disk = await disks.add(size);
      await helper.stop();
      await start(step);
      await assert.rejects(helper.client.call(create(disk.name)), { code: 'helper-unavailable' });
      assert.equal(await helper.ended, 'SIGKILL');
      await start();
      const { result } = await helper.client.call({ verb: 'inspect', ...on(disk), descriptor: false });
      assert.equal(result.state, 'unfinished');
      if (step === 'mounted') {
        await helper.client.call({ verb: 'lock', name: 'v' });
        assert.deepEqual(await place.leftovers(), nothingLeft);
        for (const directory of ['containers', 'keys', 'headers']) {
          assert.deepEqual(await readdir(path.join(place.storage, directory)), []);
        }
      }
      assert.equal((await helper.client.call(create(disk.name))).result.state, 'locked');
      await destroy(disk);
    });

  test('what an interrupted create left is not taken from another device that has the name by now', async () => {
    const [disk, other] = [await disks.add(size), await disks.add(size)];
    await helper.client.call(create(other.name, { name: 'w' }));
    const before = begin(other);
    await helper.stop();
    await start('backup');
    await assert.rejects(helper.client.call(create(disk.name)), { code: 'helper-unavailable' });
    await start();
    await disks.lead(disk, other.node);
    await helper.client.call({ verb: 'lock', name: 'v' });
    assert.ok(begin(other).equals(before), 'another device was written to');
    await helper.client.call({ verb: 'destroy', name: 'w', container: other.name, confirm: 'w' });
  });

  test('an interrupted destroy goes on with its own device only', async () => {
    const [disk, other] = [await disks.add(size), await disks.add(size)];
    await run('mkfs.ext4', ['-q', other.node], quick);
    const before = begin(other);
    await helper.client.call(create(disk.name));
    await helper.stop();
    await start('destroy-erased');
    await assert.rejects(destroy(disk), { code: 'helper-unavailable' });
    await start();
    await disks.lead(disk, other.node);
    await assert.rejects(destroy(disk), { code: 'container-replaced' });
    assert.ok(begin(other).equals(before), 'another device was written to');
    await disks.lead(disk, disk.node);
    await destroy(disk);
    assert.equal((await run('wipefs', ['--no-act', disk.node], quick)).stdout.toString(), '');
  });
});
