/** Destroy: what it refuses, what it erases, that nothing former opens what is left, and that it is finished after a crash at any step. */
import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { ReelError } from '../../src/errors.ts';
import { run } from '../../src/exec/run.ts';
import { Luks } from '../../src/luks/luks.ts';
import { createRequest, describeEngines, type Helper, openRequest, Place } from '../helper/harness.ts';

const none = { loops: [], mounts: [], processes: [] };
const steps = [
  ...['destroy-marked', 'destroy-erased', 'destroy-overwritten', 'destroy-backups', 'destroy-key', 'destroy-unlinked'],
  ...['destroy-mount-point', 'destroyed'],
];
const luks = new Luks();

await describeEngines('destroy', (engine) => {
  let place: Place;
  let helper: Helper;
  before(async () => {
    place = await Place.make();
    helper = await place.helper();
  });
  after(() => place.destroy());

  const destroy = (name: string, confirm = name) => helper.client.call({ verb: 'destroy', name, confirm });
  const directories = () =>
    ['storage/containers', 'storage/keys', 'storage/headers', 'mount/.headers'].map((each) =>
      path.join(place.root, each),
    );
  /** Everything of this volume, in every directory that may hold some. */
  const left = async (name: string, uuid: string): Promise<string[]> => {
    const all = (await Promise.all([...directories(), place.mounts].map((directory) => readdir(directory)))).flat();
    return all.filter((file) => file.includes(uuid) || file.replace(/^\./, '').split('.')[0] === name);
  };

  for (const type of ['luks2', 'luks1'] as const)
    test(`${type}: no former key and no former backup opens what was left on the disk`, async () => {
      const name = `gone-${type}`;
      const { result: made } = await helper.client.call(createRequest(engine, { name, type }));
      const container = place.container(name);
      const key = await readFile(path.join(place.storage, 'keys', `${name}.key`));
      // Names of ours keep the very blocks that destroy has to reach.
      const kept = path.join(place.root, `kept-${type}`);
      await mkdir(kept);
      await link(container, path.join(kept, 'container'));
      await link(path.join(place.storage, 'keys', `${name}.key`), path.join(kept, 'key'));
      const [, , ...places] = directories();
      for (const [index, directory] of places.entries()) {
        const [backup = ''] = (await readdir(directory)).filter((file) => file.startsWith(`${made.uuid}.`));
        await link(path.join(directory, backup), path.join(kept, `backup-${index}`));
      }
      await copyFile(path.join(kept, 'container'), path.join(kept, 'before'));
      assert.equal(await luks.testKey(path.join(kept, 'before'), key), 0, 'the copy from before opens');

      const { result } = await destroy(name);
      assert.deepEqual(await left(name, made.uuid ?? ''), []);
      const raw = path.join(kept, 'container');
      await assert.rejects(luks.testKey(raw, key), { code: 'not-luks' });
      for (const backup of ['backup-0', 'backup-1']) {
        const file = path.join(kept, backup);
        await assert.rejects(luks.dump(file), { code: 'not-luks' });
        await assert.rejects(
          run('cryptsetup', ['-q', 'luksHeaderRestore', raw, '--header-backup-file', file], { timeoutMs: 30_000 }),
        );
      }
      assert.ok(!(await readFile(path.join(kept, 'key'))).equals(key));
      // Not one sector of header and key material is what it was.
      const { headerBytes } = result;
      const [now, then] = await Promise.all(
        [raw, path.join(kept, 'before')].map((file) => firstBytes(file, headerBytes)),
      );
      for (let at = 0; at < headerBytes; at += 512) {
        const was = then?.subarray(at, at + 512);
        assert.ok(was !== undefined && now?.subarray(at, at + 512).equals(was) === false, `bytes at ${at}`);
      }

      assert.equal(headerBytes, type === 'luks2' ? 16 << 20 : 2 << 20);
      assert.deepEqual([result.keyslots, result.backups.files, result.keyFile?.bytes], [[0], 2, 64]);
      assert.equal(result.containerBytes, (await stat(raw)).size);
      assert.equal(result.mountPoint, path.join(place.mounts, name));
      assert.match(result.notGuaranteed.join('\n'), /snapshots[\s\S]*1 more names/);
      assert.deepEqual([result.resumed, result.notes], [false, []]);
    });

  const firstBytes = async (file: string, bytes: number): Promise<Buffer> => {
    const handle = await open(file, 'r');
    const read = Buffer.alloc(bytes);
    await handle.read(read, 0, bytes, 0);
    await handle.close();
    return read;
  };

  test('refused for an open volume, without the name, and for another container; nothing is touched', async () => {
    const name = 'refused';
    const { result, fd } = await helper.client.call(createRequest(engine, { name, open: true }));
    await assert.rejects(destroy(name), { code: 'volume-busy' });
    closeSync(fd);
    await helper.client.call({ verb: 'lock', name });
    for (const confirm of ['', 'Refused', 'other'])
      await assert.rejects(destroy(name, confirm), { code: 'invalid-argument' });
    const uuid = '00000000-0000-4000-8000-000000000000';
    const another = helper.client.call({ verb: 'destroy', name, confirm: name, uuid });
    await assert.rejects(another, { code: 'container-replaced' });
    assert.equal((await left(name, result.uuid ?? '')).length, 5);
    const opened = await helper.client.call(openRequest(engine, { name }));
    closeSync(opened.fd);
    await helper.client.call({ verb: 'lock', name });
    await destroy(name);
  });

  test('a container whose header is lost is destroyed too, and so is what is left of one that is gone', async () => {
    const name = 'headless';
    const { result } = await helper.client.call(createRequest(engine, { name }));
    const handle = await open(place.container(name), 'r+');
    await handle.write(Buffer.alloc(0x8000), 0, 0x8000, 0);
    await handle.close();
    const uuid = result.uuid ?? '';
    const { result: report } = await helper.client.call({ verb: 'destroy', name, confirm: name, uuid });
    assert.equal(report.headerBytes, report.containerBytes, 'the largest header is larger than this container');
    assert.deepEqual([report.backups.files, report.notes.length > 0], [2, true]);
    assert.deepEqual(await left(name, uuid), []);
    const again = await helper.client.call({ verb: 'destroy', name, confirm: name, uuid });
    assert.deepEqual(again.result.notes, ['there was no container']);
  });

  for (const step of steps)
    test(`killed after "${step}": it cannot be opened half, says so, and the same call finishes it`, async () => {
      const name = `crash-${step}`;
      const { result } = await helper.client.call(createRequest(engine, { name }));
      const uuid = result.uuid ?? '';
      await helper.stop();
      helper = await place.helper({ crashAfter: step });
      await assert.rejects(destroy(name), { code: 'helper-unavailable' });
      assert.equal(await helper.ended, 'SIGKILL');
      helper = await place.helper();
      const { state } = (await helper.client.call({ verb: 'inspect', name, descriptor: false })).result;
      assert.equal(state, step === 'destroyed' ? 'absent' : 'destroying');
      if (state === 'destroying') {
        const says = (error: ReelError): boolean =>
          error.code === 'volume-unfinished' && /volume destroy/.test(error.message);
        await assert.rejects(helper.client.call(openRequest(engine, { name })), says);
        await assert.rejects(helper.client.call(createRequest(engine, { name })), says);
        await assert.rejects(helper.client.call({ verb: 'lock', name }), says);
      }
      const { result: report } = await helper.client.call({ verb: 'destroy', name, confirm: name, uuid });
      if (step !== 'destroyed') {
        assert.equal(report.resumed, true);
        assert.deepEqual([report.keyslots, report.backups.files], [[0], 2], 'what the first call did is in the report');
        assert.equal(report.headerBytes, 16 << 20);
      }
      assert.deepEqual(await left(name, uuid), []);
      assert.deepEqual(await place.leftovers(), none);
    });
});
