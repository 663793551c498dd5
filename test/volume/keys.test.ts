/** Keys of a volume, locked and open: list, add, change, remove, rotate; what a removed key can still open is nothing. */
import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { makeRecoveryKey } from '../../src/luks/recovery-key.ts';
import { describeEngines, type Helper, openRequest, Place } from '../helper/harness.ts';
import { bytes, KeyedVolume } from './keys.ts';

await describeEngines('keys', (engine) => {
  let place: Place;
  let helper: Helper;
  before(async () => {
    place = await Place.make();
    helper = await place.helper();
  });
  after(() => place.destroy());

  for (const type of ['luks2', 'luks1'] as const) {
    test(`add, change and remove a passphrase, ${type}`, async () => {
      const volume = new KeyedVolume(place, `life-${type}`, engine);
      const { name } = volume;
      await volume.create(helper, 'first', { type });
      const shown = type === 'luks2' ? 'passphrase' : 'null';
      assert.deepEqual(await volume.kinds(helper), [`0 ${shown}`]);

      const add = { verb: 'keys-add', name, current: 'passphrase', kind: 'passphrase' } as const;
      const { result: added } = await helper.client.call(add, bytes('first'), bytes('second'));
      assert.deepEqual(added, { slot: 1, added: true, removed: [] });
      assert.deepEqual(await volume.kinds(helper), [`0 ${shown}`, `1 ${shown}`]);
      await volume.proveSettled();
      await volume.proveOpens(helper, 'second');
      const again = await helper.client.call(add, bytes('first'), bytes('second'));
      assert.deepEqual(again.result, { slot: 1, added: false, removed: [] });

      const change = { verb: 'keys-change', name } as const;
      const [old] = await volume.backups();
      const { result: changed } = await helper.client.call(change, bytes('first'), bytes('third'));
      assert.deepEqual(changed, { slot: 2, added: true, removed: [0], left: [1, 2] });
      assert.deepEqual(await volume.kinds(helper), [`1 ${shown}`, `2 ${shown}`]);
      assert.equal(await volume.slotOf('first'), undefined);
      const [fresh] = await volume.backups();
      assert.notEqual(fresh, old);
      assert.equal(await volume.slotOf('first', fresh), undefined, 'a backup opens with a passphrase that was changed');
      await volume.proveSettled();
      assert.deepEqual((await helper.client.call(change, bytes('first'), bytes('third'))).result, {
        ...{ slot: 2, added: false, removed: [], left: [1, 2] },
      });
      await assert.rejects(helper.client.call(change, bytes('x'), bytes('y')), { code: 'wrong-key' });

      const remove = { verb: 'keys-remove', name, current: 'passphrase' } as const;
      const last = helper.client.call({ ...remove, slot: 2 }, bytes('third'));
      await assert.rejects(last, { code: 'same-keyslot' });
      await assert.rejects(helper.client.call(remove, bytes('third'), bytes('third')), { code: 'same-keyslot' });
      await assert.rejects(helper.client.call({ ...remove, slot: 1 }, bytes('nobody knows')), { code: 'wrong-key' });
      assert.equal(await volume.slotOf('second'), 1);
      const { result: removed } = await helper.client.call({ ...remove, slot: 1 }, bytes('third'));
      assert.deepEqual(removed, { slot: 1, keyFileRemoved: false });
      const twice = await helper.client.call({ ...remove, slot: 1 }, bytes('third'));
      assert.deepEqual(twice.result, { slot: null, keyFileRemoved: false });
      await assert.rejects(helper.client.call(remove, bytes('third'), bytes('second')), { code: 'wrong-key' });
      await assert.rejects(helper.client.call({ ...remove, slot: 2 }, bytes('third')), { code: 'last-keyslot' });
      await volume.proveSettled();
      await volume.proveOpens(helper, 'third');
    });
  }

  test('the key file: rotated while open and writing, then with a passphrase beside it, then removed', async () => {
    const volume = new KeyedVolume(place, 'file', engine);
    const { name } = volume;
    await volume.create(helper);
    const old = await volume.readKeyFile();
    const { result: opened, fd } = await helper.client.call(openRequest(engine, { name }));
    await writeFile(`/proc/self/fd/${fd}/dvr/x`, 'before');
    const { result } = await helper.client.call({ verb: 'keys-rotate', name });
    assert.deepEqual(result, { slot: 1, added: true, removed: [0] });
    await writeFile(`/proc/self/fd/${fd}/dvr/y`, 'after');
    assert.equal(await readFile(`/proc/self/fd/${fd}/dvr/x`, 'utf8'), 'before');
    closeSync(fd);
    assert.equal(await volume.slotOf(old), undefined);
    assert.notDeepEqual(await volume.readKeyFile(), old);
    await volume.proveSettled();
    assert.deepEqual(await volume.kinds(helper), ['1 keyFile']);

    const add = { verb: 'keys-add', name, current: 'keyFile', kind: 'passphrase' } as const;
    await helper.client.call(add, bytes('phrase'));
    const still = await helper.client.call({ verb: 'inspect', name, descriptor: false });
    assert.deepEqual([still.result.state, still.result.device], ['open', opened.device]);
    await helper.client.call({ verb: 'lock', name });
    assert.deepEqual(await volume.kinds(helper), ['0 passphrase', '1 keyFile']);

    await assert.rejects(helper.client.call({ verb: 'keys-remove', name, current: 'keyFile', slot: 1 }), {
      code: 'same-keyslot',
    });
    const remove = { verb: 'keys-remove', name, current: 'passphrase', slot: 1 } as const;
    assert.deepEqual((await helper.client.call(remove, bytes('phrase'))).result, { slot: 1, keyFileRemoved: true });
    await assert.rejects(volume.readKeyFile(), { code: 'ENOENT' });
    const without = helper.client.call({ verb: 'keys-remove', name, current: 'keyFile', slot: 0 });
    await assert.rejects(without, /without a key file: --ask .*--passphrase-file .*--recovery /);
    await volume.proveOpens(helper, 'phrase');

    const { result: made } = await helper.client.call(
      { ...add, kind: 'keyFile', current: 'passphrase' },
      bytes('phrase'),
    );
    assert.deepEqual(made, { slot: 1, added: true, removed: [] });
    await volume.proveSettled();
    await volume.proveOpens(helper);
    const same = await helper.client.call({ ...add, kind: 'keyFile', current: 'passphrase' }, bytes('phrase'));
    assert.deepEqual(same.result, { slot: 1, added: false, removed: [] });
  });

  test('a recovery key opens, and a new one takes the place of the former', async () => {
    const volume = new KeyedVolume(place, 'recovery', engine);
    const { name } = volume;
    await volume.create(helper);
    const [one, two] = [makeRecoveryKey(), makeRecoveryKey()];
    const add = { verb: 'keys-add', name, current: 'keyFile', kind: 'recovery' } as const;
    assert.deepEqual((await helper.client.call(add, one)).result, { slot: 1, added: true, removed: [] });
    assert.deepEqual((await helper.client.call({ ...add, replaces: [1] }, two)).result, {
      ...{ slot: 2, added: true, removed: [1] },
    });
    assert.deepEqual(await volume.kinds(helper), ['0 keyFile', '2 recovery']);
    assert.equal(await volume.slotOf(one), undefined);
    await volume.proveSettled();
    await volume.proveOpens(helper, two.toString());
  });

  test('refusals: the same key again, a full header, another container, secrets that do not fit the verb', async () => {
    const volume = new KeyedVolume(place, 'refusals', engine);
    const { name } = volume;
    await volume.create(helper, 'first', { type: 'luks1' });
    const add = { verb: 'keys-add', name, current: 'passphrase', kind: 'passphrase' } as const;
    const same = helper.client.call(add, bytes('first'), bytes('first'));
    await assert.rejects(same, { code: 'invalid-argument' });
    const change = { verb: 'keys-change', name } as const;
    await assert.rejects(helper.client.call(change, bytes('first'), bytes('first')), { code: 'invalid-argument' });
    for (let index = 1; index < 8; index += 1) await helper.client.call(add, bytes('first'), bytes(`key ${index}`));
    await assert.rejects(helper.client.call(add, bytes('first'), bytes('one more')), { code: 'keyslots-full' });
    const other = { ...add, uuid: '00000000-0000-4000-8000-000000000000' };
    await assert.rejects(helper.client.call(other, bytes('first'), bytes('x')), { code: 'container-replaced' });
    await assert.rejects(helper.client.call(add, bytes('first')), { code: 'invalid-argument' });
    await assert.rejects(helper.client.call({ ...change, name: 'absent' }, bytes('a'), bytes('b')), {
      code: 'not-found',
    });
    await assert.rejects(helper.client.call({ verb: 'keys-rotate', name }), { code: 'not-found' });
    await volume.proveSettled();
  });
});
