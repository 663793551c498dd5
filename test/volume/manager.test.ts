/** The daemon's side of volumes, against a real helper: states, adoption, hooks, loss. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { ReelError } from '../../src/errors.ts';
import { run } from '../../src/exec/run.ts';
import { HelperClient } from '../../src/helper/client.ts';
import { helperSocket } from '../../src/helper/start.ts';
import type { VolumeHooks } from '../../src/volume/manager/hooks.ts';
import { VolumeManager } from '../../src/volume/manager/manager.ts';
import { describeEngines, type Helper, Place, size } from '../helper/harness.ts';

const none = { loops: [], mounts: [], processes: [] };

await describeEngines('volume manager', (engine) => {
  let place: Place;
  let helper: Helper;
  let stander: ChildProcess | undefined;
  const managers: VolumeManager[] = [];
  before(async () => {
    place = await Place.make();
    helper = await place.helper();
    await mkdir(path.join(place.root, 'state'));
  });
  after(async () => {
    stander?.kill('SIGKILL');
    for (const manager of managers) await manager.close();
    await place.destroy();
  });

  const start = async (hooks: VolumeHooks = {}): Promise<VolumeManager> => {
    const manager = new VolumeManager({
      stateDirectory: path.join(place.root, 'state'),
      helper: new HelperClient({ socketPath: helperSocket(place.runtime) }),
      log: pino({ level: 'silent' }),
      now: () => Date.UTC(2026, 10, 21, 14),
      watchIntervalMs: 20,
    });
    managers.push(manager);
    manager.use(hooks);
    await manager.start();
    return manager;
  };

  const until = async (manager: VolumeManager, name: string, state: string): Promise<void> => {
    while (manager.get(name).state !== state) await sleep(5);
  };

  test('create, write through the jail, lock, open; the states in between are told in order', async () => {
    const states: string[] = [];
    const manager = await start({ onState: ({ name, state }) => states.push(`${name} ${state}`) });
    assert.deepEqual(manager.list(), []);
    const made = await manager.create({ name: 'v', size, engine, open: true });
    assert.deepEqual(
      [made.state, made.engine, made.key, made.createdAt, made.failure],
      ['open', engine, 'keyFile', '2026-11-21T14:00:00.000Z', null],
    );
    await manager.opened('v').jail.writeFileAtomic('dvr/x', Buffer.from('kept'));
    assert.equal((await manager.lock('v')).state, 'locked');
    assert.deepEqual(await place.leftovers(), none);
    assert.throws(() => manager.opened('v'), { code: 'volume-state' });
    assert.equal((await manager.open('v')).state, 'open');
    assert.equal((await manager.open('v')).state, 'open');
    assert.equal((await manager.opened('v').jail.readFile('dvr/x')).toString(), 'kept');
    await manager.lock('v');
    assert.equal((await manager.lock('v')).state, 'locked');
    const wanted = 'creating open locking locked opening open locking locked locking locked';
    assert.deepEqual(
      states,
      wanted.split(' ').map((state) => `v ${state}`),
    );
    await manager.close();
  });

  test('the list is a private file without secrets, and a broken one is not taken for an empty one', async () => {
    const file = path.join(place.root, 'state', 'volumes.json');
    const text = await readFile(file, 'utf8');
    const list = JSON.parse(text) as { volumes: { name: string; uuid: string; container: string }[] };
    assert.deepEqual(
      list.volumes.map(({ name, container }) => [name, container]),
      [['v', place.container('v')]],
    );
    for (const broken of ['', '{', '{"layout":2,"volumes":[]}', '{"layout":1,"volumes":[{}]}']) {
      await writeFile(file, broken);
      await assert.rejects(start(), { code: 'config-invalid' });
    }
    await writeFile(file, text);
  });

  test('a new daemon adopts what is open and tells the recorder', async () => {
    const first = await start();
    await first.open('v');
    await first.close();
    const told: string[] = [];
    const second = await start({
      onOpen: async ({ name, jail }) => {
        told.push(`${name} ${(await jail.readFile('dvr/x')).toString()}`);
      },
    });
    assert.deepEqual([second.get('v').state, told], ['open', ['v kept']]);
    await second.lock('v');
    await second.close();
  });

  test('a part that cannot use the volume: why is seen at the volume and told to all parts, until it can', async () => {
    const told: string[] = [];
    const closed = [new ReelError('io-error', { expected: 'a way in', got: 'EACCES', hint: 'open the door' })];
    const manager = await start({
      onOpen: async () => {
        for (const error of closed) throw error;
      },
      onPause: async (_, reason) => void told.push(reason === undefined ? 'goes on' : reason.message),
    });
    const [condition] = (await manager.open('v')).conditions;
    assert.equal(condition?.kind, 'unusable');
    assert.match(`${condition?.message} / ${condition?.nextStep}`, /cannot use v: a way in: EACCES \/ open the door/);
    assert.match(told.join(), /EACCES/);
    // A look of the watch does not take it away.
    while (manager.watched('v') === undefined) await sleep(5);
    assert.deepEqual(
      manager.get('v').conditions.map(({ kind }) => kind),
      ['unusable'],
    );
    await manager.lock('v');
    closed.pop();
    assert.deepEqual((await manager.open('v')).conditions, []);
    await manager.lock('v');
    await manager.close();
  });

  test('a lock asks the recorder first; without drain it refuses and the volume stays open', async () => {
    const calls: string[] = [];
    const busy = new ReelError('volume-busy', {
      expected: 'nobody to record',
      got: 'one stream',
      details: { streams: ['cam1'] },
    });
    const manager = await start({
      onOpen: async () => void calls.push('open'),
      beforeLock: async (_, { drain }) => {
        calls.push(`lock drain=${drain}`);
        if (!drain) throw busy;
      },
    });
    await manager.open('v');
    await assert.rejects(manager.lock('v'), { code: 'volume-busy', details: { streams: ['cam1'] } });
    assert.equal(manager.get('v').state, 'open');
    assert.equal((await manager.opened('v').jail.readFile('dvr/x')).toString(), 'kept');
    assert.equal((await manager.lock('v', { drain: true })).state, 'locked');
    assert.deepEqual(calls, ['open', 'lock drain=false', 'open', 'lock drain=true']);
    await manager.close();
  });

  test('somebody stands in the mount: a drain ends nothing, a plain lock names him beside the streams, and nothing is told as failed', async () => {
    const asked: boolean[] = [];
    const states: string[] = [];
    const manager = await start({
      onState: ({ state }) => void states.push(state),
      recordings: (name) => (name === 'v' ? ['cam1'] : []),
      beforeLock: async (_, { drain }) => {
        asked.push(drain);
        if (!drain)
          throw new ReelError('volume-busy', { expected: 'no', got: '1: cam1', details: { streams: ['cam1'] } });
      },
    });
    await manager.open('v');
    states.length = 0;
    stander = spawn('sleep', ['600'], { cwd: path.join(place.mounts, 'v/dvr') });
    await once(stander, 'spawn');
    const held = (streams?: string[]) => (error: ReelError) => {
      const holders = error.details.holders as { pid: number }[];
      assert.deepEqual([error.code, holders.map(({ pid }) => pid)], ['volume-busy', [stander?.pid]]);
      assert.deepEqual(error.details.streams, streams);
      return true;
    };
    await assert.rejects(manager.lock('v', { drain: true }), held());
    assert.deepEqual([asked, states], [[], []]);
    await assert.rejects(manager.lock('v'), held(['cam1']));
    assert.deepEqual([asked, states], [[false], []]);
    stander.kill('SIGKILL');
    await once(stander, 'exit');
    const drained = await manager.lock('v', { drain: true });
    assert.deepEqual([drained.state, drained.recordings], ['locked', ['cam1']]);
    assert.deepEqual((await manager.lock('v', { drain: true })).recordings, [], 'a locked one had none to end');
    await manager.open('v');
    const slammed = await manager.slam('v', { deadlineMs: 200 });
    assert.deepEqual([slammed.state, slammed.recordings], ['locked', ['cam1']]);
    await manager.close();
  });

  test('a lock that finds the volume busy leaves it open and usable', async () => {
    const states: string[] = [];
    const manager = await start({ onState: ({ state }) => void states.push(state) });
    await manager.open('v');
    const { fd } = manager.opened('v').jail;
    const kept = openSync(`/proc/self/fd/${fd}/dvr/x`, 'r');
    await assert.rejects(manager.lock('v'), (error: ReelError) => {
      const [holder] = error.details.holders as { pid: number }[];
      assert.deepEqual([error.code, holder?.pid], ['volume-busy', process.pid]);
      return true;
    });
    assert.equal(manager.get('v').state, 'open');
    assert.equal((await manager.opened('v').jail.readFile('dvr/x')).toString(), 'kept');
    assert.ok(!states.includes('failed'), states.join());
    closeSync(kept);
    await manager.lock('v');
    await manager.close();
  });

  test('passphrases: asked for, checked, and a wrong one leaves the volume locked', async () => {
    const manager = await start();
    await manager.create({ name: 'phrase', size, engine, passphrase: Buffer.from('right') });
    await assert.rejects(manager.open('phrase'), (error: ReelError) => {
      assert.equal(error.code, 'invalid-argument');
      assert.match(error.parts.hint ?? '', /--ask .*--passphrase-file .*--recovery /);
      return true;
    });
    await assert.rejects(manager.open('phrase', Buffer.from('wrong')), { code: 'wrong-key' });
    assert.equal(manager.get('phrase').state, 'locked');
    await manager.open('phrase', Buffer.from('right'));
    await manager.lock('phrase');
    // One with a key file may have passphrases beside it: they are tried.
    await assert.rejects(manager.open('v', Buffer.from('stray')), { code: 'wrong-key' });
    await manager.close();
  });

  test('names: taken ones are refused, unknown ones are not found, and a failed create leaves no record', async () => {
    const manager = await start();
    await assert.rejects(manager.create({ name: 'v', size, engine }), { code: 'already-exists' });
    await assert.rejects(manager.open('nobody'), { code: 'not-found' });
    assert.throws(() => manager.get('nobody'), { code: 'not-found' });
    await writeFile(place.container('foreign'), 'somebody else’s');
    await assert.rejects(manager.create({ name: 'foreign', size, engine }), { code: 'already-exists' });
    await assert.rejects(manager.create({ name: '../x', size, engine }), { code: 'invalid-argument' });
    await assert.rejects(manager.create({ name: 'huge', size: 1024 ** 5, engine }), { code: 'no-space' });
    assert.deepEqual(
      manager.list().map(({ name }) => name),
      ['v', 'phrase'],
    );
    await manager.close();
    // It must not stay: it would adopt what the next test opens, and hold it.
    const next = await start();
    assert.deepEqual(
      next.list().map(({ name }) => name),
      ['v', 'phrase'],
    );
    await next.close();
  });

  test('a container that is gone (absent) or another one (failed), with a next step; put back, it opens', async () => {
    const moved = `${place.container('v')}.moved`;
    await rename(place.container('v'), moved);
    const manager = await start();
    const { state, failure } = manager.get('v');
    assert.deepEqual([state, failure?.error.code], ['absent', 'not-found']);
    assert.match(failure?.nextStep ?? '', /put the container back/);
    await rename(place.container('phrase'), place.container('v'));
    await assert.rejects(manager.open('v'), { code: 'container-replaced' });
    assert.deepEqual([manager.get('v').state, manager.get('v').failure?.error.code], ['failed', 'container-replaced']);
    await rename(place.container('v'), place.container('phrase'));
    await rename(moved, place.container('v'));
    assert.equal((await manager.open('v')).state, 'open');
    assert.equal(manager.get('v').failure, null);
    await manager.lock('v');
    await manager.close();
  });

  test('without a helper: the daemon starts, open volumes go on, and a helper that comes back is noticed', async () => {
    const manager = await start();
    await manager.open('v');
    await helper.stop();
    await sleep(100);
    assert.equal(manager.get('v').state, 'open');
    assert.equal((await manager.opened('v').jail.readFile('dvr/x')).toString(), 'kept');
    const other = await start();
    assert.deepEqual([other.get('v').state, other.get('v').failure?.error.code], ['failed', 'helper-unavailable']);
    helper = await place.helper();
    await until(other, 'v', 'open');
    await other.close();
    await manager.lock('v');
    await manager.close();
  });

  test('a create whose helper dies: a whole volume is kept, remains are taken away, and the list says which', async () => {
    const manager = await start();
    for (const [name, crashAfter] of [
      ['whole', 'named'],
      ['remains', 'mounted'],
    ] as const) {
      await helper.stop();
      helper = await place.helper({ crashAfter });
      await assert.rejects(manager.create({ name, size, engine }), { code: 'helper-unavailable' });
      assert.equal(manager.get(name).failure?.error.code, 'helper-unavailable');
      helper = await place.helper();
      if (name === 'whole') await until(manager, name, 'open');
      else while (manager.list().some((view) => view.name === name)) await sleep(5);
    }
    assert.notEqual(manager.get('whole').uuid, null);
    await manager.lock('whole');
    assert.deepEqual(await place.leftovers(), none);
    assert.ok((await readdir(path.join(place.storage, 'containers'))).every((file) => !file.includes('remains')));
    await manager.close();
  });

  test('an open whose helper dies: never shown as locked while something is attached, and the next helper tells', async () => {
    const manager = await start();
    for (const [crashAfter, found] of [
      ['attached', 'volume-state'],
      ['proven', undefined],
    ] as const) {
      await helper.stop();
      helper = await place.helper({ crashAfter });
      await assert.rejects(manager.open('v'), { code: 'helper-unavailable' });
      assert.equal(manager.get('v').failure?.error.code, 'helper-unavailable');
      helper = await place.helper();
      while (manager.get('v').failure?.error.code === 'helper-unavailable') await sleep(5);
      assert.equal(manager.get('v').failure?.error.code, found);
      assert.equal((await manager.open('v')).state, 'open');
      await manager.lock('v');
      assert.deepEqual(await place.leftovers(), none);
    }
    await manager.close();
  });

  test('a filesystem that stops writing: failed, and open checks and mounts it again', async () => {
    const manager = await start();
    const { mountPoint } = await manager.open('v');
    await run('mount', ['-o', 'remount,ro', mountPoint ?? ''], { timeoutMs: 10_000 });
    await until(manager, 'v', 'failed');
    assert.equal(manager.get('v').failure?.error.code, 'io-error');
    await manager.open('v');
    await manager.opened('v').jail.writeFileAtomic('dvr/x', Buffer.from('kept'));
    await manager.lock('v');
    await manager.close();
  });

  // the kernel engine has no process to kill
  const testBlockPlane = engine === 'userspace' ? test : undefined;
  testBlockPlane?.('a block plane that dies: failed within the watch, the recorder is told, open heals', async () => {
    const lost: string[] = [];
    const manager = await start({ onLost: async (name, error) => void lost.push(`${name} ${error.code}`) });
    await manager.open('v');
    process.kill(manager.get('v').blockPid ?? 0, 'SIGKILL');
    await until(manager, 'v', 'failed');
    const { failure } = manager.get('v');
    assert.deepEqual([failure?.error.code, lost], ['block-plane-died', ['v block-plane-died']]);
    assert.match(failure?.nextStep ?? '', /open the volume again/);
    assert.throws(() => manager.opened('v'), { code: 'volume-state' });
    assert.equal((await manager.open('v')).state, 'open');
    assert.equal((await manager.opened('v').jail.readFile('dvr/x')).toString(), 'kept');
    await manager.lock('v');
    assert.deepEqual(await place.leftovers(), none);
    await manager.close();
  });
});
