/** `kill -9` of the helper after each step of each change of keys: the old or the new key opens, and the same call again finishes. */
import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { run } from '../../src/exec/run.ts';
import { makeRecoveryKey } from '../../src/luks/recovery-key.ts';
import { describeEngines, type Helper, Place, shorter } from '../helper/harness.ts';
import { bytes, KeyedVolume } from './keys.ts';

await describeEngines('key crashes', (engine) => {
  let place: Place;
  /** With a key file, and with the passphrase `old`. */
  let filed: KeyedVolume;
  let phrased: KeyedVolume;
  before(async () => {
    place = await Place.make();
    filed = new KeyedVolume(place, 'filed', engine);
    phrased = new KeyedVolume(place, 'phrased', engine);
    await place.withHelper(async (helper) => {
      await filed.create(helper);
      await phrased.create(helper, 'old');
    });
    for (const directory of kept()) await copy(directory, saved(directory));
  });
  after(() => place.destroy());

  /** Containers, keys and header backups, in both places. */
  const kept = (): string[] => [place.storage, path.join(place.mounts, '.headers')];
  const saved = (directory: string): string => path.join(place.root, `saved-${path.basename(directory)}`);
  const copy = async (from: string, to: string): Promise<void> => {
    await rm(to, { recursive: true, force: true });
    await mkdir(to);
    await run('cp', ['--archive', '--sparse=always', `${from}/.`, to], { timeoutMs: 60_000 });
  };

  /** The volume as `create` left it: to make one anew for each step takes longer than all else. */
  const asMade = async (volume: KeyedVolume): Promise<KeyedVolume> => {
    for (const directory of kept()) await copy(saved(directory), directory);
    return volume;
  };

  const crash = async (step: string, call: (helper: Helper) => Promise<unknown>): Promise<void> => {
    const helper = await place.helper({ crashAfter: step });
    await assert.rejects(call(helper), { code: 'helper-unavailable' });
    assert.equal(await helper.ended, 'SIGKILL');
  };

  test('add a passphrase', async () => {
    for (const step of shorter(['key-added', 'key-verified', 'key-remembered', 'key-backup'])) {
      const volume = await asMade(phrased);
      const add = { verb: 'keys-add', name: volume.name, current: 'passphrase', kind: 'passphrase' } as const;
      const call = ({ client }: Helper) => client.call(add, bytes('old'), bytes('new'));
      await crash(step, call);
      assert.equal(await volume.slotOf('old'), 0, step);
      await place.withHelper(async (helper) => {
        assert.deepEqual((await call(helper)).result, { slot: 1, added: false, removed: [] }, step);
        assert.deepEqual(await volume.kinds(helper), ['0 passphrase', '1 passphrase'], step);
      });
      await volume.proveSettled();
    }
  });

  test('add a key file', async () => {
    const steps = ['key-file', 'key-added', 'key-verified', 'key-remembered', 'key-backup', 'key-named'];
    for (const step of shorter(steps)) {
      const volume = await asMade(phrased);
      const add = { verb: 'keys-add', name: volume.name, current: 'passphrase', kind: 'keyFile' } as const;
      await crash(step, ({ client }) => client.call(add, bytes('old')));
      await place.withHelper(async (helper) => {
        assert.equal((await helper.client.call(add, bytes('old'))).result.slot, 1, step);
        assert.deepEqual(await volume.kinds(helper), ['0 passphrase', '1 keyFile'], step);
      });
      assert.equal(await volume.slotOf(await volume.readKeyFile()), 1);
      await volume.proveSettled();
    }
  });

  test('change a passphrase', async () => {
    const steps = ['key-added', 'key-verified', 'key-remembered', 'key-both-backup', 'key-removed', 'key-backup'];
    for (const step of shorter(steps)) {
      const volume = await asMade(phrased);
      const change = { verb: 'keys-change', name: volume.name } as const;
      const call = ({ client }: Helper) => client.call(change, bytes('old'), bytes('new'));
      await crash(step, call);
      const open = [await volume.slotOf('old'), await volume.slotOf('new')];
      assert.ok(
        open.some((slot) => slot !== undefined),
        `${step}: neither key opens`,
      );
      assert.equal((await place.withHelper(call)).result.slot, 1, step);
      assert.deepEqual([await volume.slotOf('old'), await volume.slotOf('new')], [undefined, 1], step);
      assert.deepEqual(await place.withHelper((helper) => volume.kinds(helper)), ['1 passphrase'], step);
      await volume.proveSettled();
    }
  });

  test('remove a key', async () => {
    for (const step of shorter(['key-removed', 'key-backup', 'key-file-removed'])) {
      const volume = await asMade(filed);
      const add = { verb: 'keys-add', name: volume.name, current: 'keyFile', kind: 'passphrase' } as const;
      await place.withHelper((helper) => helper.client.call(add, bytes('phrase')));
      const remove = { verb: 'keys-remove', name: volume.name, current: 'passphrase', slot: 0 } as const;
      const call = ({ client }: Helper) => client.call(remove, bytes('phrase'));
      await crash(step, call);
      assert.equal(await volume.slotOf('phrase'), 1, step);
      assert.equal((await place.withHelper(call)).result.slot, null);
      assert.deepEqual(await place.withHelper((helper) => volume.kinds(helper)), ['1 passphrase'], step);
      await assert.rejects(volume.readKeyFile(), { code: 'ENOENT' }, step);
      await volume.proveSettled();
    }
  });

  test('rotate the key file: at every step the file opens the volume', async () => {
    const before = ['key-file', 'key-added', 'key-verified', 'key-remembered', 'key-both-backup', 'key-kept'];
    const named = ['key-named', 'key-removed', 'key-backup', 'key-file-removed'];
    for (const step of shorter([...before, ...named])) {
      const volume = await asMade(filed);
      const old = await volume.readKeyFile();
      const call = ({ client }: Helper) => client.call({ verb: 'keys-rotate', name: volume.name });
      await crash(step, call);
      const file = await volume.readKeyFile();
      assert.notEqual(await volume.slotOf(file), undefined, `${step}: the key file does not open`);
      assert.equal(file.equals(old), before.includes(step), step);
      await place.withHelper(call);
      assert.equal(await volume.slotOf(old), undefined, step);
      assert.notEqual(await volume.slotOf(await volume.readKeyFile()), undefined, step);
      // What a crash left was finished and not begun again.
      if (step !== 'key-file-removed' && !before.includes(step))
        assert.deepEqual(await volume.readKeyFile(), file, step);
      assert.equal((await place.withHelper((helper) => volume.kinds(helper))).length, 1, step);
      await volume.proveSettled();
    }
  });

  test('replace a recovery key', async () => {
    for (const step of shorter(['key-added', 'key-remembered', 'key-removed', 'key-backup'])) {
      const volume = await asMade(filed);
      const add = { verb: 'keys-add', name: volume.name, current: 'keyFile', kind: 'recovery' } as const;
      await place.withHelper((helper) => helper.client.call(add, makeRecoveryKey()));
      await crash(step, ({ client }) => client.call({ ...add, replaces: [1] }, makeRecoveryKey()));
      assert.equal(await volume.slotOf(await volume.readKeyFile()), 0);
      await place.withHelper(async (helper) => {
        // The caller looks which slots are for recovery; one without a kind (killed before it was remembered) nobody can name.
        const { result } = await helper.client.call({ verb: 'keys-list', name: volume.name });
        const replaces = result.keys.filter(({ slot }) => slot > 0).map(({ slot }) => slot);
        const key = makeRecoveryKey();
        await helper.client.call({ ...add, replaces }, key);
        assert.equal((await volume.kinds(helper)).length, 2, step);
        assert.notEqual(await volume.slotOf(key), undefined, step);
      });
      await volume.proveSettled();
    }
  });
});
