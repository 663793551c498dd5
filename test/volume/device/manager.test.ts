/** A volume on a block device in the daemon: what it shows, what it makes of a device that goes and comes, and a new start. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { HelperClient } from '../../../src/helper/client.ts';
import { helperSocket } from '../../../src/helper/start.ts';
import { VolumeManager } from '../../../src/volume/manager/manager.ts';
import { describeEngines, Place, size } from '../../helper/harness.ts';
import { Disks } from './disks.ts';

await describeEngines('a volume on a block device', (engine) => {
  let place: Place;
  let disks: Disks;
  const start = async (): Promise<VolumeManager> => {
    const made = new VolumeManager({
      stateDirectory: path.join(place.root, 'state'),
      helper: new HelperClient({ socketPath: helperSocket(place.runtime) }),
      log: pino({ level: 'silent' }),
      now: Date.now,
      watchIntervalMs: 20,
    });
    await made.start();
    return made;
  };
  before(async () => {
    place = await Place.make();
    disks = await Disks.make();
    await mkdir(path.join(place.root, 'state'));
    await place.helper({ devices: [disks.directory] });
  });
  after(async () => {
    await place.destroy();
    await disks.destroy();
  });

  test('refused: nothing is registered; made: its device is shown, gone it fails, back it is open, and a new start adopts it', async () => {
    const disk = await disks.add(size);
    let manager = await start();
    try {
      await assert.rejects(manager.create({ name: 'v', engine, device: disk.node }), { code: 'device-refused' });
      assert.deepEqual(manager.list(), []);
      const view = await manager.create({ name: 'v', engine, device: disk.name, open: true });
      assert.deepEqual([view.state, view.blockDevice, view.size], ['open', disk.name, size]);
      await assert.rejects(manager.create({ name: 'w', engine, device: disk.name }), { code: 'already-exists' });
      await disks.lead(disk);
      while (manager.get('v').state !== 'failed') await sleep(5);
      assert.equal(manager.get('v').failure?.error.code, 'container-changed');
      await disks.lead(disk, disk.node);
      while (manager.get('v').state !== 'open') await sleep(5);
      await manager.close();
      manager = await start();
      assert.deepEqual([manager.get('v').state, manager.get('v').blockDevice], ['open', disk.name]);
      await manager.lock('v');
      await disks.lead(disk);
      while (manager.get('v').state !== 'absent') await sleep(5);
    } finally {
      await manager.close();
    }
  });
});
