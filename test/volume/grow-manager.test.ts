/** The daemon's side of growing, against a real helper: the record, the events, and what goes on by itself after a crash. */
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import type { ReelError } from '../../src/errors.ts';
import { HelperClient } from '../../src/helper/client.ts';
import { helperSocket } from '../../src/helper/start.ts';
import { onlineRefusal } from '../../src/volume/grow/filesystem.ts';
import { VolumeGrowth } from '../../src/volume/manager/growth.ts';
import type { VolumeEvent } from '../../src/volume/manager/hooks.ts';
import { VolumeManager } from '../../src/volume/manager/manager.ts';
import { describeEngines, type Helper, Place } from '../helper/harness.ts';

/** Net; the container is larger by its header. */
const size = 64 * 2 ** 20;
const header = 16 * 2 ** 20;

/** Where the machine lets nobody grow a mounted ext4, the filesystem waits for the next open. */
const online = (await onlineRefusal('ext4')) === undefined;

await describeEngines('growing by the manager', (engine) => {
  let place: Place;
  let helper: Helper;
  const running: { manager: VolumeManager; growth: VolumeGrowth }[] = [];
  const events: VolumeEvent[] = [];
  before(async () => {
    place = await Place.make();
    helper = await place.helper();
    await mkdir(path.join(place.root, 'state'));
  });
  const end = async (): Promise<void> => {
    for (const { manager, growth } of running.splice(0)) {
      await growth.close();
      await manager.close();
    }
  };
  after(async () => {
    await end();
    await place.destroy();
  });

  const start = async (): Promise<{ manager: VolumeManager; growth: VolumeGrowth }> => {
    const log = pino({ level: 'silent' });
    const client = new HelperClient({ socketPath: helperSocket(place.runtime) });
    const stateDirectory = path.join(place.root, 'state');
    const manager = new VolumeManager({ stateDirectory, helper: client, log, now: Date.now, watchIntervalMs: 20 });
    const growth = new VolumeGrowth({ manager, log, progressIntervalMs: 20 });
    manager.use({ onEvent: (event) => events.push(event) });
    manager.use(growth.hooks);
    running.push({ manager, growth });
    await manager.start();
    return { manager, growth };
  };

  const recorded = async (name: string): Promise<number | undefined> => {
    const text = await readFile(path.join(place.root, 'state', 'volumes.json'), 'utf8');
    const { volumes } = JSON.parse(text) as { volumes: { name: string; size: number }[] };
    return volumes.find((volume) => volume.name === name)?.size;
  };

  /** Waits until nothing of a grow is left; on the way it locks and opens where that is needed. */
  const settled = async (manager: VolumeManager, name: string): Promise<void> => {
    if (!online) {
      await manager.lock(name);
      await manager.open(name);
    }
    while (manager.get(name).growing !== null) await sleep(10);
  };

  const grown = (name: string): VolumeEvent[] =>
    events.filter(({ type, volume }) => type === 'volume.grown' && volume === name);

  test('an open volume grows, stays open, and record, view and event say so', async () => {
    const { manager, growth } = await start();
    await manager.create({ name: 'v', size, engine, open: true });
    await manager.opened('v').jail.writeFileAtomic('dvr/x', Buffer.from('kept'));
    const seen = new Set<string>();
    let running: boolean | undefined;
    const call = growth.grow('v', 4 * size);
    while ((await Promise.race([call, sleep(5, undefined)])) === undefined) {
      const { state, growing } = manager.get('v');
      seen.add(`${state} ${growing?.from} ${growing?.to}`);
      running ??= growing?.running;
    }
    const answer = await call;
    assert.deepEqual([...seen], [`open ${size} ${4 * size}`]);
    assert.equal(running, true);
    assert.deepEqual([answer.grown.from, answer.grown.to, answer.volume.netSize], [size, 4 * size, 4 * size]);
    assert.equal(answer.volume.size, 4 * size + header);
    assert.equal(answer.grown.filesystem, online ? 'grown' : 'at-open');
    assert.equal(answer.volume.state, 'open');
    assert.equal(await recorded('v'), 4 * size + header);
    await settled(manager, 'v');
    assert.equal((await manager.opened('v').jail.readFile('dvr/x')).toString(), 'kept');
    const events = grown('v');
    assert.deepEqual([events.at(-1)?.filesystem, events.at(-1)?.to], ['grown', 4 * size]);
    await growth.grow('v', 4 * size);
    assert.equal(grown('v').length, events.length, 'nothing was grown by the second call');
    await assert.rejects(growth.grow('v', 4 * size - 4096), (error: ReelError) => {
      assert.equal(error.code, 'invalid-argument');
      assert.match(
        error.message,
        /at least 268435456 bytes \(256 MiB\) net, the size it has, got 268431360 bytes \(about 256 MiB\) net/,
      );
      return true;
    });
    await assert.rejects(growth.grow('w', size), { code: 'not-found' });
    assert.equal(manager.get('v').growing, null);
    await manager.lock('v');
    await end();
  });

  test('a locked volume goes on growing when it is opened', async () => {
    const { manager, growth } = await start();
    const { volume, grown: first } = await growth.grow('v', 5 * size);
    assert.deepEqual([volume.state, first.filesystem], ['locked', 'at-open']);
    assert.deepEqual(volume.growing, { from: 4 * size, to: 5 * size, allocated: null, running: false });
    await manager.open('v');
    while (manager.get('v').growing !== null) await sleep(10);
    assert.equal(grown('v').at(-1)?.filesystem, 'grown');
    await manager.lock('v');
    await end();
  });

  test('helper and daemon killed in the middle: the next start of both finishes', async () => {
    const first = await start();
    await first.manager.open('v');
    await helper.stop();
    const dying = await place.helper({ crashAfter: 'grow-journalled' });
    await assert.rejects(first.growth.grow('v', 6 * size), { code: 'helper-unavailable' });
    assert.equal(await dying.ended, 'SIGKILL');
    assert.equal(first.manager.get('v').growing, null);
    await end();
    helper = await place.helper();
    const { manager } = await start();
    await settled(manager, 'v');
    assert.equal(manager.get('v').state, 'open');
    assert.equal(manager.get('v').netSize, 6 * size);
    await manager.lock('v');
    await end();
    assert.equal(await recorded('v'), 6 * size + header);
    assert.deepEqual(
      events.filter(({ type }) => type === 'volume.grow.failed'),
      [],
    );
  });
});
