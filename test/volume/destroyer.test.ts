/** The daemon's side of an end: what it refuses, that the volume is forgotten, and that an interrupted destruction is finished at the next start. */
import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import pino from 'pino';
import { VolumeDestroyer } from '../../src/volume/manager/destroyer.ts';
import { VolumeHeaders } from '../../src/volume/manager/headers.ts';
import type { VolumeEvent } from '../../src/volume/manager/hooks.ts';
import { VolumeManager } from '../../src/volume/manager/manager.ts';
import { describeEngines, type Helper, Place, size } from '../helper/harness.ts';

const log = pino({ level: 'silent' });

await describeEngines('the daemon destroys', (engine) => {
  let place: Place;
  let helper: Helper;
  const events: VolumeEvent[] = [];
  before(async () => {
    place = await Place.make();
    await mkdir(path.join(place.root, 'state'));
    helper = await place.helper();
  });
  after(() => place.destroy());

  const start = async () => {
    const manager = new VolumeManager({
      ...{ stateDirectory: path.join(place.root, 'state'), helper: helper.client, log, now: Date.now },
      watchIntervalMs: 3_600_000,
    });
    manager.use({ onEvent: (event) => events.push(event) });
    await manager.start();
    return { manager, destroyer: new VolumeDestroyer({ manager, log }), headers: new VolumeHeaders({ manager }) };
  };

  test('an open volume and a wrong name are refused; a locked one is destroyed, told and forgotten', async () => {
    const { manager, destroyer, headers } = await start();
    await manager.create({ name: 'v', size, engine, open: true });
    const [backup] = (await headers.list('v')).backups;
    assert.equal((await headers.compare('v', backup?.name)).same, true);
    assert.equal((await headers.backUp('v')).backups.length, 2);
    await assert.rejects(destroyer.destroy('v', 'v'), { code: 'volume-busy' });
    await manager.lock('v');
    await assert.rejects(destroyer.destroy('v', 'w'), { code: 'invalid-argument' });
    assert.equal(manager.get('v').state, 'locked');
    const report = await destroyer.destroy('v', 'v');
    assert.deepEqual([report.keyslots, report.backups.files], [[0], 4]);
    assert.deepEqual(manager.list(), []);
    assert.ok(events.some(({ type, volume }) => type === 'volume.destroyed' && volume === 'v'));
    await manager.close();
    const again = await start();
    assert.deepEqual(again.manager.list(), []);
    await again.manager.close();
  });

  test('one that was interrupted is failed with its next step, and the next start finishes it', async () => {
    const first = await start();
    await first.manager.create({ name: 'v', size, engine });
    await helper.stop();
    helper = await place.helper({ crashAfter: 'destroy-overwritten' });
    const second = await start();
    await assert.rejects(second.destroyer.destroy('v', 'v'), { code: 'helper-unavailable' });
    helper = await place.helper();
    await second.manager.adoptAll();
    const { state, failure } = second.manager.get('v');
    assert.deepEqual([state, failure?.error.code], ['failed', 'volume-unfinished']);
    assert.match(failure?.nextStep ?? '', /volume destroy v --yes v/);
    await assert.rejects(second.manager.open('v'), { code: 'volume-unfinished' });
    await first.manager.close();
    await second.manager.close();
    const third = await start();
    await third.destroyer.finishInterrupted();
    assert.deepEqual(third.manager.list(), []);
    for (const directory of ['containers', 'keys', 'headers']) {
      assert.deepEqual(await readdir(path.join(place.storage, directory)), []);
    }
    await third.manager.close();
  });
});
