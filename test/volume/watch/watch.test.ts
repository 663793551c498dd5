/** What the watch finds when things happen to an open volume from outside, all of it for real. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { cp, mkdir, open, readdir, readlink, rename, rm, stat, statfs, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import type { ReelError } from '../../../src/errors.ts';
import { run } from '../../../src/exec/run.ts';
import { HelperClient } from '../../../src/helper/client.ts';
import { helperSocket } from '../../../src/helper/start.ts';
import type { VolumeEvent } from '../../../src/volume/manager/hooks.ts';
import { limitsOf } from '../../../src/volume/manager/limits.ts';
import { VolumeManager } from '../../../src/volume/manager/manager.ts';
import { describeEngines, Place, size } from '../../helper/harness.ts';

const none = { loops: [], mounts: [], processes: [] };
const reserve = 16 * 1024 * 1024;
const hangMs = 1500;
const timeoutMs = 30_000;
const quick = { timeoutMs };

await describeEngines('watch', (engine) => {
  let place: Place;
  let manager: VolumeManager;
  let told: string[] = [];
  let events: VolumeEvent[] = [];
  const container = (): string => place.container('v');

  const start = async (): Promise<VolumeManager> => {
    const made = new VolumeManager({
      stateDirectory: path.join(place.root, 'state'),
      helper: new HelperClient({ socketPath: helperSocket(place.runtime) }),
      log: pino({ level: 'silent' }),
      now: Date.now,
      limits: limitsOf({ hostReserve: reserve }),
      watchIntervalMs: 20,
      hangMs: () => hangMs,
    });
    made.use({
      onOpen: async () => void told.push('open'),
      onLost: async (_, error) => void told.push(`lost ${error.code}`),
      onPause: async (_, reason) => void told.push(reason === undefined ? 'resumed' : `paused ${reason.code}`),
      // how far an open is depends on how long it takes
      onEvent: (event) => event.type !== 'volume.progress' && events.push(event),
    });
    await made.start();
    return made;
  };

  before(async () => {
    place = await Place.make();
    // Small, so that a test can fill it; memory, so that it is quick.
    await run('mount', ['-t', 'tmpfs', '-o', 'size=320m,mode=0755', 'tmpfs', place.storage], quick);
    await mkdir(path.join(place.root, 'state'));
    // Longer than any test may wait: it is told the other one with each look.
    await place.helper({ watch: { hangMs: 600_000, lookMs: 50, askMs: 100 } });
    manager = await start();
    await manager.create({ name: 'v', size, engine });
  });
  after(async () => {
    await manager.close();
    await place.destroy();
  });
  beforeEach(async () => {
    await manager.open('v');
    await manager.opened('v').jail.writeFileAtomic('dvr/x', Buffer.from('kept'));
    told = [];
    events = [];
  });

  const until = async (state: string): Promise<void> => {
    while (manager.get('v').state !== state) await sleep(5);
  };
  const untilTold = async (what: string): Promise<void> => {
    while (!told.includes(what)) await sleep(5);
  };
  const kept = async (): Promise<string> => (await manager.opened('v').jail.readFile('dvr/x')).toString();
  const failure = () => manager.get('v').failure;

  test('nothing is the matter: no condition, no event, and it stays open', async () => {
    await sleep(300);
    assert.deepEqual([manager.get('v').state, manager.get('v').conditions, told, events], ['open', [], [], []]);
  });

  test('what is free in it follows what is written, and what is deleted', async () => {
    const free = (): number => manager.get('v').available ?? assert.fail('not open');
    const { capacity } = manager.get('v');
    // what a filesystem writes by itself is much less than this
    const half = 4 * 1024 * 1024;
    const before = free();
    const file = path.join(manager.get('v').mountPoint ?? '', 'dvr', 'large');
    await run('fallocate', ['-l', String(2 * half), file], quick);
    while (free() > before - half) await sleep(5);
    await rm(file);
    while (free() < before - half) await sleep(5);
    assert.equal(manager.get('v').capacity, capacity);
    await manager.lock('v');
    assert.deepEqual([manager.get('v').capacity, manager.get('v').available], [null, null]);
  });

  test('a container that is moved away: failed, it says where to; moved back, it is open again by itself', async () => {
    const moved = path.join(place.storage, 'moved.luks');
    await rename(container(), moved);
    await until('failed');
    assert.equal(failure()?.error.code, 'container-changed');
    assert.ok(failure()?.error.message.includes(moved));
    assert.throws(() => manager.opened('v'), { code: 'volume-state' });
    await rename(moved, container());
    await until('open');
    assert.deepEqual([told, await kept()], [['lost container-changed', 'open'], 'kept']);
  });

  test('a container that is moved away or replaced: an open says where it is, and a lock takes away what is attached', async () => {
    const moved = path.join(place.storage, 'moved.luks');
    for (const replaced of [false, true]) {
      await rename(container(), moved);
      if (replaced) await writeFile(container(), 'no container');
      await until('failed');
      const said = replaced ? /another file: it is at .*moved\.luks now/ : /no file: it is at .*moved\.luks now/;
      await assert.rejects(manager.open('v'), { code: 'container-changed', message: said });
      assert.equal(manager.get('v').state, 'failed');
      const locked = manager.lock('v');
      // what lies there now is no volume, which is told; of the one that was open nothing is left all the same
      await (replaced ? assert.rejects(locked, { code: 'not-luks' }) : locked);
      assert.deepEqual((await place.leftovers()).loops, []);
      assert.deepEqual((await place.leftovers()).processes, []);
      if (!replaced) await until('absent');
      await rename(moved, container());
      await (replaced ? manager.lock('v') : until('locked'));
      await manager.open('v');
      assert.equal(await kept(), 'kept');
    }
  });

  test('a container that is deleted: a lock takes away what is attached', async () => {
    const copy = path.join(place.storage, 'copy.luks');
    await manager.lock('v');
    await cp(container(), copy);
    await manager.open('v');
    await rm(container());
    await until('failed');
    await assert.rejects(manager.open('v'), { code: 'container-changed', message: /no file: it was deleted/ });
    await manager.lock('v');
    await until('absent');
    assert.deepEqual((await place.leftovers()).processes, []);
    assert.deepEqual((await place.leftovers()).loops, []);
    await rename(copy, container());
    await until('locked');
    await manager.open('v');
    assert.equal(await kept(), 'kept');
  });

  test('another file in its place, also one with the same header: failed; put right, it is open again', async () => {
    const moved = path.join(place.storage, 'moved.luks');
    await rename(container(), moved);
    await cp(moved, container());
    await until('failed');
    assert.equal(failure()?.error.code, 'container-changed');
    await rename(moved, container());
    await until('open');
    assert.equal(await kept(), 'kept');
  });

  test('a container that is cut: failed, and its length alone does not mend it', async () => {
    const copy = path.join(place.storage, 'copy.luks');
    await manager.lock('v');
    await cp(container(), copy);
    await manager.open('v');
    await truncate(container(), size / 2);
    await until('failed');
    assert.match(failure()?.nextStep ?? '', /restore/);
    await truncate(container(), size);
    await sleep(200);
    assert.equal(manager.get('v').state, 'failed');
    await manager.lock('v');
    await rename(copy, container());
    await manager.open('v');
    assert.equal(await kept(), 'kept');
  });

  test('a volume that is unmounted behind our back: what was on the way lands in it, nothing on the bare mount point', async () => {
    const { jail } = manager.opened('v');
    const { mountPoint } = manager.get('v');
    // At once, so that the watch cannot find out in between.
    execFileSync('umount', ['--lazy', mountPoint ?? '']);
    writeFileSync(`/proc/self/fd/${jail.fd}/dvr/x`, 'late');
    assert.deepEqual(readdirSync(mountPoint ?? ''), []);
    await until('failed');
    assert.deepEqual(await readdir(mountPoint ?? ''), []);
    await assert.rejects(jail.writeFileAtomic('dvr/y', Buffer.from('after')));
    assert.deepEqual(await readdir(mountPoint ?? ''), []);
    await manager.open('v');
    assert.equal(await kept(), 'late');
  });

  test('an error that ext4 meets: failed, as the filesystem takes no writes any more; open checks it', async () => {
    const point = manager.get('v').mountPoint ?? '';
    const number = (await run('findmnt', ['-no', 'MAJ:MIN', point], quick)).stdout.toString().trim();
    const device = path.basename(await readlink(`/sys/dev/block/${number}`));
    await writeFile(`/sys/fs/ext4/${device}/trigger_fs_error`, 'a test');
    await until('failed');
    assert.equal(failure()?.error.code, 'io-error');
    await manager.open('v');
    assert.equal(await kept(), 'kept');
    assert.deepEqual(manager.get('v').conditions, []);
  });

  test('little space below a sparse container: recording pauses, reading goes on; with space it goes on', async (t) => {
    await manager.lock('v');
    await run('fallocate', ['--dig-holes', container()], quick);
    await manager.open('v');
    told = [];
    const filler = path.join(place.storage, 'filler');
    t.after(() => rm(filler, { force: true }));
    const { bavail, bsize } = await statfs(place.storage);
    await run('fallocate', ['-l', String(bavail * bsize - reserve / 2), filler], quick);
    await untilTold('paused volume-paused');
    const [condition] = manager.get('v').conditions;
    assert.deepEqual(
      [manager.get('v').state, condition?.kind, condition?.pausesRecording],
      ['open', 'host-space', true],
    );
    assert.equal(await kept(), 'kept');
    // More is free than began the pause, but not half as much again.
    await truncate(filler, bavail * bsize - Math.round(reserve * 1.2));
    await sleep(200);
    assert.deepEqual(told, ['paused volume-paused']);
    await rm(filler);
    await untilTold('resumed');
    assert.deepEqual(manager.get('v').conditions, []);
    assert.deepEqual(
      events.map(({ type, active }) => [type, active]),
      [
        ['volume.condition', true],
        ['volume.paused', undefined],
        ['volume.condition', false],
        ['volume.resumed', undefined],
      ],
    );
  });

  test('a volume that fills up: recording pauses while there is still room, reading goes on; with space it goes on', async () => {
    const { jail } = manager.opened('v');
    const filler = path.join(manager.get('v').mountPoint ?? '', 'filler');
    const { blocks, bavail, bsize } = await statfs(path.dirname(filler));
    const kept32nd = Math.floor((blocks * bsize) / 32);
    await run('fallocate', ['-l', String(bavail * bsize - Math.round(kept32nd * 0.9)), filler], quick);
    await untilTold('paused volume-paused');
    const [condition] = manager.get('v').conditions;
    assert.deepEqual(
      [manager.get('v').state, condition?.kind, condition?.pausesRecording],
      ['open', 'volume-space', true],
    );
    await jail.writeFileAtomic('dvr/y', Buffer.alloc(kept32nd / 4));
    assert.equal(await kept(), 'kept');
    await rm(filler);
    await untilTold('resumed');
    assert.deepEqual(manager.get('v').conditions, []);
  });

  test('a preallocated container needs no space of the host: no pause', async (t) => {
    await manager.lock('v');
    await run('fallocate', ['-l', String((await stat(container())).size), container()], quick);
    await manager.open('v');
    const filler = path.join(place.storage, 'filler');
    t.after(() => rm(filler, { force: true }));
    const { bavail, bsize } = await statfs(place.storage);
    await run('fallocate', ['-l', String(bavail * bsize - reserve / 2), filler], quick);
    await sleep(300);
    assert.deepEqual([manager.get('v').conditions, events], [[], []]);
  });

  test('a container that vanishes while it is locked: absent, with what to do; back, it is locked', async () => {
    await manager.lock('v');
    const moved = path.join(place.storage, 'moved.luks');
    await rename(container(), moved);
    await until('absent');
    assert.match(failure()?.nextStep ?? '', /put the container back/);
    await rename(moved, container());
    await until('locked');
    assert.equal(failure(), null);
  });

  const plane = (): number => manager.get('v').blockPid ?? assert.fail('no block plane');

  /** Bytes that must reach the disk: they wait for the block plane. Resolves with the error code, or `written`. */
  const write = async (name: string): Promise<string> => {
    const file = await open(path.join(manager.get('v').mountPoint ?? '', 'dvr', name), 'w');
    try {
      await file.write(Buffer.alloc(1024 * 1024, 7));
      await file.sync();
      return 'written';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? 'failed';
    } finally {
      await file.close().catch(() => undefined);
    }
  };

  // the kernel engine has no block plane
  if (engine === 'userspace') {
    test('a block plane that is stopped and goes on before the limit: nothing is lost', async () => {
      const pid = plane();
      process.kill(pid, 'SIGSTOP');
      const writing = write('y');
      await sleep(hangMs / 3);
      process.kill(pid, 'SIGCONT');
      assert.equal(await writing, 'written');
      await sleep(300);
      assert.deepEqual([manager.get('v').state, told, await kept()], ['open', [], 'kept']);
    });

    for (const load of ['idle', 'writing'] as const)
      test(`a block plane that hangs while ${load}: cut off, failed, nothing waits for ever, and open heals`, async () => {
        const pid = plane();
        process.kill(pid, 'SIGSTOP');
        const writing = load === 'writing' ? write('z') : Promise.resolve('EIO');
        await until('failed');
        assert.equal(await writing, 'EIO');
        assert.deepEqual([failure()?.error.code, told], ['storage-hung', ['lost storage-hung']]);
        assert.match(failure()?.nextStep ?? '', /open the volume again/);
        await manager.open('v');
        assert.equal(await kept(), 'kept');
      });

    test('a block plane that dies while it writes: failed, and what was durable is there', async () => {
      process.kill(plane(), 'SIGKILL');
      await until('failed');
      assert.deepEqual([failure()?.error.code, told], ['block-plane-died', ['lost block-plane-died']]);
      await manager.open('v');
      assert.equal(await kept(), 'kept');
    });
  }

  test('nothing is left', async () => {
    await manager.lock('v').catch((error: ReelError) => assert.fail(JSON.stringify(error)));
    const { mounts, ...rest } = await place.leftovers();
    assert.deepEqual({ ...rest, mounts: mounts.filter((point) => point !== place.storage) }, none);
  });
});
