/** The daemon's side of keys and reencryption, against a real helper: what is remembered, told, followed and finished by itself. */
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import type { VolumeEvent } from '../../src/volume/manager/hooks.ts';
import { VolumeKeys } from '../../src/volume/manager/keys.ts';
import { VolumeManager } from '../../src/volume/manager/manager.ts';
import { VolumeReencryption } from '../../src/volume/manager/reencryption.ts';
import { describeEngines, type Helper, Place, size } from '../helper/harness.ts';
import { bytes, KeyedVolume } from './keys.ts';

await describeEngines('keys in the daemon', (engine) => {
  let place: Place;
  let helper: Helper;
  const log = pino({ level: 'silent' });
  const closing: { close(): Promise<void> }[] = [];
  before(async () => {
    place = await Place.make();
    helper = await place.helper();
    await mkdir(path.join(place.root, 'state'));
  });
  after(async () => {
    for (const part of closing.toReversed()) await part.close();
    await place.destroy();
  });

  const start = async () => {
    const events: VolumeEvent[] = [];
    const manager = new VolumeManager({
      stateDirectory: path.join(place.root, 'state'),
      helper: helper.client,
      log,
      now: Date.now,
    });
    manager.use({ onEvent: (event) => events.push(event) });
    await manager.start();
    const reencryption = new VolumeReencryption({ manager, log, watchIntervalMs: 20 });
    closing.push(manager, reencryption);
    const told = async (type: string): Promise<VolumeEvent> => {
      for (;;) {
        const event = events.find((each) => each.type === type);
        if (event !== undefined) return event;
        await sleep(10);
      }
    };
    return { manager, events, reencryption, told, keys: new VolumeKeys({ manager }) };
  };

  test('LUKS1, whose header has no room for it: kinds are in the record, also for the next daemon', async () => {
    const { manager, keys, events } = await start();
    await manager.create({ name: 'old', size, engine, type: 'luks1' });
    await keys.add('old', bytes('phrase'));
    const text = await keys.recovery('old', bytes('phrase'));
    const kinds = async (from: VolumeKeys) => (await from.list('old')).keys.map(({ slot, kind }) => `${slot} ${kind}`);
    assert.deepEqual(await kinds(keys), ['0 keyFile', '1 passphrase', '2 recovery']);
    const next = await keys.recovery('old');
    assert.deepEqual(await kinds(keys), ['0 keyFile', '1 passphrase', '3 recovery']);
    await keys.rotate('old');
    await keys.change('old', bytes('phrase'), bytes('other'));
    assert.equal((await keys.remove('old', 2, bytes('other'))).keyFileRemoved, true);
    const again = await start();
    assert.deepEqual(await kinds(again.keys), ['0 passphrase', '3 recovery']);
    assert.equal(again.manager.get('old').key, 'passphrase');
    await again.manager.open('old', next);
    await again.manager.lock('old');
    const volume = new KeyedVolume(place, 'old', engine);
    assert.equal(await volume.slotOf(text), undefined);
    assert.deepEqual(
      events.map(({ type }) => type.split('volume.key.')[1]).filter((what) => what !== undefined),
      ['added', 'added', 'added', 'changed', 'changed', 'removed'],
    );
    assert.ok(events.every((event) => event.volume === 'old'));
    const state = await readFile(path.join(place.root, 'state/volumes.json'), 'utf8');
    for (const secret of [text, next, bytes('other')])
      assert.ok(!(state + JSON.stringify(events)).includes(secret.toString()));
  });

  test('a reencryption is followed to its end and finished by itself, key file and record too', async () => {
    const { manager, keys, reencryption, told, events } = await start();
    await manager.create({ name: 'new', size, engine });
    await keys.add('new', bytes('phrase'));
    reencryption.start();
    const begun = await reencryption.begin('new', { dropOtherKeys: true }, bytes('phrase'));
    assert.equal(begun.state, 'running');
    assert.match(manager.get('new').header?.problem ?? '', /new volume key/);
    assert.equal((await told('volume.reencrypt.finished')).keyFileRemoved, true);
    assert.equal(manager.get('new').header, null);
    assert.equal((await reencryption.status('new')).state, 'none');
    assert.equal(manager.get('new').key, 'passphrase');
    await new KeyedVolume(place, 'new', engine).proveSettled();
    await manager.open('new', bytes('phrase'));
    await manager.lock('new');
    assert.ok(events.some(({ type }) => type === 'volume.reencrypt.running'));
  });

  test('one that was cut short is resumed at the start of the daemon, where a key file opens the volume', async () => {
    const first = await start();
    await first.manager.create({ name: 'cut', size, engine });
    await helper.stop();
    const crashing = await place.helper({ crashAfter: 'reencrypt-begun' });
    const begun = first.reencryption.begin('cut', { dropOtherKeys: false });
    await assert.rejects(begun, { code: 'helper-unavailable' });
    assert.equal(await crashing.ended, 'SIGKILL');
    helper = await place.helper();
    assert.equal((await first.reencryption.status('cut')).state, 'unfinished');
    // An open for writing goes on with it under the kernel engine.
    const open = first.manager.open('cut', undefined, { readOnly: engine === 'kernel' });
    await assert.rejects(open, { code: 'reencryption-unfinished' });
    assert.equal(first.manager.get('cut').state, 'locked');
    const second = await start();
    assert.match(second.manager.get('cut').header?.nextStep ?? '', /reelvault volume reencrypt resume cut/);
    second.reencryption.start();
    await second.told('volume.reencrypt.finished');
    assert.equal(second.manager.get('cut').header, null);
    await second.manager.open('cut');
    await second.manager.lock('cut');
  });
});
