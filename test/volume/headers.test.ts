/** Backups in two places, compare, check, repair and restore of the header of a real volume, by the helper. */
import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import {
  chmod,
  copyFile,
  open as openFile,
  readdir,
  readFile,
  rename,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { ReelError } from '../../src/errors.ts';
import { readHeader } from '../../src/luks/header/read-header.ts';
import { Luks } from '../../src/luks/luks.ts';
import { createRequest, describeEngines, type Helper, openRequest, Place } from '../helper/harness.ts';

const none = { loops: [], mounts: [], processes: [] };
const fast = { type: 'pbkdf2', iterations: 1000 } as const;
const luks = new Luks();
const phrase = Buffer.from('the phrase of the volume');
const second = Buffer.from('a second phrase');

const damage = async (file: string, ...offsets: number[]): Promise<void> => {
  const handle = await openFile(file, 'r+');
  for (const offset of offsets) await handle.write(Buffer.alloc(64, 0xa5), 0, 64, offset);
  await handle.close();
};

const start = async (file: string, bytes: number): Promise<Buffer> => {
  const handle = await openFile(file, 'r');
  const read = Buffer.alloc(bytes);
  await handle.read(read, 0, bytes, 0);
  await handle.close();
  return read;
};

await describeEngines('headers', (engine) => {
  let place: Place;
  let helper: Helper;
  let uuid = '';
  const name = 'v';
  const which = () => ({ name, uuid });
  const away = () => path.join(place.mounts, '.headers');
  const home = () => path.join(place.storage, 'headers');
  const open = (size?: number) =>
    helper.client.call(
      openRequest(engine, { key: 'passphrase', uuid, ...(size === undefined ? {} : { size }) }),
      phrase,
    );
  const lock = async (fd: number): Promise<void> => {
    closeSync(fd);
    await helper.client.call({ verb: 'lock', name });
  };
  const opens = async (): Promise<void> => lock((await open()).fd);
  const backups = async () => (await helper.client.call({ verb: 'header-list', ...which() })).result.backups;
  const backup = () => helper.client.call({ verb: 'header-backup', ...which() });
  const check = async (size?: number) =>
    (await helper.client.call({ verb: 'header-check', ...which(), ...(size === undefined ? {} : { size }) })).result;
  const kinds = async (size?: number) => (await check(size)).problems.map((problem) => problem.kind);
  const restore = (more: { backup?: string; force?: boolean; uuid?: string } = {}) =>
    helper.client.call({ verb: 'header-restore', force: false, ...which(), ...more });

  before(async () => {
    place = await Place.make();
    helper = await place.helper();
    const request = createRequest(engine, { key: 'passphrase' });
    uuid = (await helper.client.call(request, phrase)).result.uuid ?? '';
  });
  after(() => place.destroy());

  test('a create leaves one backup, the same in both places and as in the container, which root alone may read', async () => {
    const [made, another] = await backups();
    assert.ok(made);
    assert.equal(another, undefined);
    assert.deepEqual(made.files, [path.join(home(), made.name), path.join(away(), made.name)]);
    for (const file of made.files) {
      const { mode, uid, size } = await stat(file);
      assert.deepEqual([mode & 0o7777, uid, size], [0o400, 0, made.bytes]);
      assert.ok((await readFile(file)).equals(await start(place.container(name), made.bytes)));
    }
    const { result } = await helper.client.call({ verb: 'header-compare', ...which() });
    assert.deepEqual([result.same, result.differences], [true, []]);
    // On one disk in this test, and told.
    assert.deepEqual(await kinds(), ['backups-on-one-disk']);
  });

  test('a backup differs after a change of keys, and the next one shreds it in both places', async () => {
    const container = place.container(name);
    const [first] = await backups();
    const slot = await luks.addKey(container, phrase, second, fast);
    const { result: seen } = await helper.client.call({ verb: 'header-compare', ...which() });
    assert.deepEqual([seen.same, seen.keyslots], [false, { both: [0], containerOnly: [slot], backupOnly: [] }]);
    assert.match(seen.differences.join(), /keyslot 1 in the container only/);
    assert.equal((await backup()).result.removedFiles, 2);
    const [added, more] = await backups();
    assert.equal(more, undefined);
    assert.notEqual(added?.name, first?.name);

    const held = await Promise.all((await backups())[0]?.files.map((file) => readHold(file)) ?? []);
    await luks.removeSlot(container, slot);
    assert.deepEqual((await backup()).result.removedFiles, 2);
    const left = await backups();
    assert.equal(left.length, 1);
    for (const read of held) {
      const bytes = await read();
      assert.ok(!bytes.subarray(0, 4).equals(Buffer.from('LUKS')), 'overwritten before it was unlinked');
    }
    for (const directory of [home(), away()]) assert.equal((await readdir(directory)).length, 1);
  });

  /** Keeps a file open over its unlinking. */
  const readHold = async (file: string): Promise<() => Promise<Buffer>> => {
    const handle = await openFile(file, 'r');
    return async () => {
      const bytes = Buffer.alloc(4096);
      await handle.read(bytes, 0, bytes.length, 0);
      await handle.close();
      return bytes;
    };
  };

  test('no more than three backups with the same keys are kept', async () => {
    for (let index = 0; index < 3; index += 1) await backup();
    assert.equal((await backups()).length, 3);
  });

  test('a damaged primary header is told, opens, and is written anew only when asked', async () => {
    const container = place.container(name);
    await damage(container, 5000);
    const before = await start(container, 32_768);
    assert.deepEqual((await kinds())[0], 'primary-damaged');
    const { result } = await helper.client.call({ verb: 'inspect', name, descriptor: false });
    assert.match(result.header?.problem ?? '', /primary header/);
    assert.match(result.header?.nextStep ?? '', /header repair v/);
    await assert.rejects(backup(), { code: 'luks-damaged' });
    assert.ok((await start(container, 32_768)).equals(before), 'looking wrote nothing');
    if (engine === 'userspace') {
      const { result: opened, fd } = await open();
      assert.match(opened.header?.problem ?? '', /primary header/);
      await lock(fd);
      assert.ok((await start(container, 32_768)).equals(before), 'an open wrote nothing');
    }
    const repaired = (await helper.client.call({ verb: 'header-repair', ...which() })).result;
    assert.equal(repaired.repaired, true);
    assert.equal((await helper.client.call({ verb: 'header-repair', ...which() })).result.repaired, false);
    assert.deepEqual(await kinds(), ['backups-on-one-disk']);
    await opens();
  });

  test('both copies damaged: told at an open, not repaired, and restored from a backup', async () => {
    const container = place.container(name);
    await damage(container, 5000, 0x4000 + 5000);
    await assert.rejects(open(), (error: ReelError) => {
      assert.equal(error.code, 'luks-damaged');
      assert.match(error.message, /header restore v/);
      return true;
    });
    await assert.rejects(helper.client.call({ verb: 'header-repair', ...which() }), { code: 'luks-damaged' });
    const damaged = await start(container, 32_768);
    const { result } = await restore();
    assert.deepEqual(result.keyslots, { broughtBack: [], takenAway: [] });
    await opens();
    const replaced = await readFile(path.join(home(), result.replaced));
    assert.ok(replaced.subarray(0, damaged.length).equals(damaged), 'what was there is kept');
    assert.equal((await stat(path.join(home(), result.replaced))).mode & 0o7777, 0o400);
  });

  test('a header that is gone altogether is restored by the registered UUID', async () => {
    const container = place.container(name);
    const handle = await openFile(container, 'r+');
    await handle.write(Buffer.alloc(0x8000), 0, 0x8000, 0);
    await handle.close();
    assert.equal((await kinds())[0], 'no-header');
    await assert.rejects(open(), (error: ReelError) => {
      assert.deepEqual([error.code, error.parts.hint], ['not-luks', 'restore it: `reelvault volume header restore v`']);
      return true;
    });
    const unknown = helper.client.call(openRequest(engine, { key: 'passphrase' }), phrase);
    await assert.rejects(unknown, /no backup of its header/);
    await restore();
    await opens();
  });

  test('a backup of another container is refused, by its name and by what is in it', async () => {
    const { result } = await helper.client.call(createRequest(engine, { name: 'other' }));
    const theirs = (await readdir(home())).find((file) => file.startsWith(`${result.uuid}.`)) ?? '';
    const before = await start(place.container(name), 32_768);
    await assert.rejects(restore({ backup: theirs, force: true }), { code: 'backup-foreign' });
    const disguised = `${uuid}.20991231T000000000Z.img`;
    await copyFile(path.join(home(), theirs), path.join(home(), disguised));
    await assert.rejects(restore({ force: true }), { code: 'backup-foreign' });
    const listed = (await backups()).map((file) => [file.name, file.foreign] as const);
    assert.deepEqual(listed[0], [disguised, result.uuid]);
    assert.ok(listed.slice(1).every(([, foreign]) => foreign === null));
    const told = (await check()).problems.find((problem) => problem.kind === 'backup-foreign');
    assert.equal(told?.severity, 'warns');
    assert.ok(told.text.includes(disguised) && told.nextStep.includes(path.join(home(), disguised)));
    // Also where the container itself cannot say who it is.
    await damage(place.container(name), 0, 0x4000);
    await assert.rejects(restore({ backup: disguised, force: true }), { code: 'backup-foreign' });
    await chmod(path.join(home(), disguised), 0o600);
    await rename(path.join(home(), disguised), path.join(place.root, 'disguised'));
    await helper.client.call({ verb: 'header-restore', ...which(), force: false });
    assert.ok((await start(place.container(name), 32_768)).equals(before));
    await opens();
  });

  test('an open volume is not restored', async () => {
    const { fd } = await open();
    await assert.rejects(restore(), { code: 'volume-busy' });
    await lock(fd);
  });

  test('a backup with a key that was removed since is refused, saying so, and restored by force', async () => {
    const container = place.container(name);
    const slot = await luks.addKey(container, phrase, second, fast);
    const { result } = await backup();
    const withBoth = result.backups[0]?.name ?? '';
    await luks.removeSlot(container, slot);
    await assert.rejects(restore({ backup: withBoth }), (error: ReelError) => {
      assert.equal(error.code, 'header-older');
      assert.match(error.message, /brings keyslot 1 back/);
      assert.deepEqual(error.details.keyslots, { broughtBack: [slot], takenAway: [] });
      return true;
    });
    await assert.rejects(luks.testKey(container, second), { code: 'wrong-key' });
    const { result: done } = await restore({ backup: withBoth, force: true });
    assert.deepEqual(done.keyslots.broughtBack, [slot]);
    assert.equal(await luks.testKey(container, second), slot);
    // And back again to what was there.
    const undone = await restore({ backup: done.replaced, force: true });
    assert.deepEqual(undone.result.keyslots, { broughtBack: [], takenAway: [slot] });
    await assert.rejects(luks.testKey(container, second), { code: 'wrong-key' });
    await opens();
  });

  test('a container that was cut is told by its size, before any key is taken', async () => {
    const { size } = await stat(place.container(name));
    await truncate(place.container(name), size - 4096);
    assert.equal((await kinds(size))[0], 'shrunk');
    await assert.rejects(open(size), (error: ReelError) => {
      assert.equal(error.code, 'container-short');
      assert.equal(error.details.finding, 'shrunk');
      return true;
    });
    await truncate(place.container(name), size);
    assert.equal((await kinds(size))[0], 'backups-on-one-disk');
    await opens();
  });

  for (const step of [
    'restore-saved',
    'restore-marked',
    'restore-material',
    'restore-secondary',
    'restore-primary',
    'restored',
  ])
    test(`a restore killed after "${step}": nothing opens half, and the same call again finishes`, async () => {
      const container = place.container(name);
      await backup();
      await damage(container, 5000, 0x4000 + 5000, 0x9000);
      await helper.stop();
      helper = await place.helper({ crashAfter: step });
      await assert.rejects(restore(), { code: 'helper-unavailable' });
      assert.equal(await helper.ended, 'SIGKILL');
      helper = await place.helper();
      if (step !== 'restored') {
        const refused = step === 'restore-saved' ? 'luks-damaged' : 'volume-unfinished';
        await assert.rejects(open(), { code: refused });
      }
      await restore();
      await opens();
      assert.equal((await readdir(home())).filter((file) => file.includes('.replaced.')).length, 1);
      assert.deepEqual(
        (await readdir(path.dirname(container))).filter((file) => file.includes('restoring')),
        [],
      );
      assert.deepEqual(await place.leftovers(), none);
    });

  test('a damaged copy in one place is passed over for the one in the other', async () => {
    const [newest] = await backups();
    const [first = ''] = newest?.files ?? [];
    const whole = await readFile(first);
    await chmod(first, 0o600);
    await writeFile(first, Buffer.alloc(whole.length));
    await damage(place.container(name), 5000, 0x4000 + 5000);
    assert.equal((await restore()).result.restored, newest?.name);
    await opens();
    assert.equal((await readHeader(place.container(name))).type, 'luks2');
  });
});
