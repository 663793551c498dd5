/** A new volume key: the data is the same before and after, whatever ends the work in the middle, and nothing opens halfway. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findRewriters } from '../../src/volume/engine/rewriter.ts';
import { describeEngines, emulated, type Helper, openRequest, Place, shorter } from '../helper/harness.ts';
import { bytes, KeyedVolume } from './keys.ts';
import { ciphertext, finish, resume, start, status } from './rewriting.ts';

/** Enough of it to be killed in the middle. */
const long = (emulated ? 96 : 512) * 1024 * 1024;

await describeEngines('reencryption', (engine) => {
  let place: Place;
  before(async () => {
    place = await Place.make();
  });
  after(() => place.destroy());

  const content = randomBytes(1024 * 1024);

  /** A locked volume that holds `dvr/x`. */
  const make = (name: string, more: object = {}): Promise<KeyedVolume> =>
    place.withHelper(async (helper) => {
      const volume = new KeyedVolume(place, name, engine);
      await volume.create(helper, undefined, more);
      const { fd } = await helper.client.call(openRequest(engine, { name }));
      await writeFile(`/proc/self/fd/${fd}/dvr/x`, content);
      closeSync(fd);
      await helper.client.call({ verb: 'lock', name });
      return volume;
    });

  const proveContent = async (helper: Helper, { name }: KeyedVolume): Promise<void> => {
    const { fd } = await helper.client.call(openRequest(engine, { name }));
    assert.ok((await readFile(`/proc/self/fd/${fd}/dvr/x`)).equals(content));
    closeSync(fd);
    await helper.client.call({ verb: 'lock', name });
  };

  test('all data under a new key, the old header backup useless and gone, other keys only with consent', async () => {
    const volume = await make('whole');
    const { name } = volume;
    await place.withHelper(async (helper) => {
      const add = { verb: 'keys-add', name, current: 'keyFile', kind: 'passphrase' } as const;
      await helper.client.call(add, bytes('other'));
      await assert.rejects(helper.client.call(start(name)), { code: 'volume-state', details: { slots: [1] } });
      assert.equal((await status(helper, name)).state, 'none');
      const before = await ciphertext(volume);
      const [backup] = await volume.backups();
      const { result } = await helper.client.call(start(name, true));
      assert.equal(result.state, 'running');
      await finish(helper, name);
      assert.notDeepEqual(await ciphertext(volume), before, 'the data is as it was');
      assert.ok(!(await volume.backups()).includes(backup ?? ''));
      assert.equal(await volume.slotOf('other'), undefined);
      assert.deepEqual(
        (await volume.kinds(helper)).map((each) => each.split(' ')[1]),
        ['keyFile'],
      );
      await volume.proveSettled();
      await proveContent(helper, volume);
    });
  });

  test('killed in the middle: nothing opens, nothing changes keys, a resume finishes with all data', async () => {
    const volume = await make('middle', { size: long });
    const { name } = volume;
    await place.withHelper(async (helper) => {
      const before = await ciphertext(volume);
      await helper.client.call(start(name));
      const { uuid } = await volume.luks.dump(volume.container);
      const pids = findRewriters({ path: volume.container, uuid }).map(({ pid }) => pid);
      assert.equal(pids.length, 1);
      const atWork = { code: 'reencryption-unfinished' };
      await assert.rejects(helper.client.call({ verb: 'destroy', name, confirm: name }), atWork);
      await assert.rejects(helper.client.call({ verb: 'header-restore', name, force: true }), atWork);
      while ((await ciphertext(volume)).equals(before)) await sleep(1);
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      while ((await status(helper, name)).state === 'running') await sleep(5);
      assert.equal((await status(helper, name)).state, 'unfinished');
      const refused = { code: 'reencryption-unfinished', message: /reelvault volume reencrypt resume middle/ };
      const readOnly = engine === 'kernel';
      await assert.rejects(helper.client.call(openRequest(engine, { name, readOnly })), refused);
      await assert.rejects(helper.client.call({ verb: 'keys-rotate', name }), refused);
      const { client } = helper;
      await assert.rejects(client.call({ verb: 'grow', name, size: 1024 * 1024 * 1024 }), refused);
      await assert.rejects(client.call({ verb: 'destroy', name, confirm: name }), refused);
      await assert.rejects(client.call({ verb: 'header-restore', name, force: true }), refused);
      assert.equal((await helper.client.call({ verb: 'keys-list', name })).result.reencrypting, true);
      assert.equal((await helper.client.call({ verb: 'reencrypt-finish', name })).result.finished, false);
      const wrong = helper.client.call({ ...resume(name), current: 'passphrase' }, bytes('wrong'));
      await assert.rejects(wrong, { code: 'wrong-key' });
      assert.equal((await helper.client.call(resume(name))).result.state, 'running');
      await finish(helper, name);
      await volume.proveSettled();
      await proveContent(helper, volume);
    });
  });

  test('the work goes on without the helper that began it', async () => {
    const volume = await make('alone', { size: long / 2 });
    const first = await place.helper();
    await first.client.call(start('alone'));
    process.kill(first.pid, 'SIGKILL');
    await first.ended;
    await place.withHelper(async (helper) => {
      assert.notEqual((await status(helper, 'alone')).state, 'unfinished');
      await finish(helper, 'alone');
      await proveContent(helper, volume);
    });
  });

  test('kill -9 of the helper after each step: the same call again finishes', async () => {
    for (const step of shorter(['marked', 'begun', 'backup', 'running', 'renewed', 'unmarked', 'finished'])) {
      const volume = await make(`step-${step}`);
      const { name } = volume;
      const crashing = await place.helper({ crashAfter: `reencrypt-${step}` });
      await assert.rejects(
        crashing.client.call(start(name)).then(() => finish(crashing, name)),
        { code: 'helper-unavailable' },
        step,
      );
      assert.equal(await crashing.ended, 'SIGKILL', step);
      await place.withHelper(async (helper) => {
        if (['unmarked', 'finished'].includes(step)) {
          // Whatever the next change of keys is, it brings the backups up to date.
          await helper.client.call({ verb: 'keys-rotate', name });
        } else {
          if (step !== 'renewed') await helper.client.call(start(name));
          await finish(helper, name);
        }
        await volume.proveSettled();
        await proveContent(helper, volume);
      });
    }
  });

  test('refused: a volume that is open read-only, LUKS1, a wrong key; then it is as before', async () => {
    const volume = await make('refused');
    const old = await make('old', { type: 'luks1' });
    await place.withHelper(async (helper) => {
      await assert.rejects(helper.client.call(start('old')), { code: 'luks-unsupported' });
      await proveContent(helper, old);
      const wrong = { ...start('refused'), current: 'passphrase' } as const;
      await assert.rejects(helper.client.call(wrong, bytes('wrong')), { code: 'wrong-key' });
      assert.equal((await helper.client.call(resume('refused'))).result.state, 'none');
      const { fd } = await helper.client.call(openRequest(engine, { name: 'refused', readOnly: true }));
      closeSync(fd);
      await assert.rejects(helper.client.call(start('refused')), { code: 'volume-state' });
      await helper.client.call({ verb: 'lock', name: 'refused' });
      await proveContent(helper, volume);
    });
  });
});
