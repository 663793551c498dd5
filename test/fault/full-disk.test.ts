/** Disks that are really full, at the moment that hurts: a tmpfs of a few megabytes as datapath or as the second place of header backups. */
import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ReelError } from '../../src/errors.ts';
import { run } from '../../src/exec/run.ts';
import { createRequest, nothingLeft, Place } from '../helper/harness.ts';

const timeoutMs = 30_000;
const bytes = (text: string): Buffer => Buffer.from(text);

const placeWith = async (t: TestContext, mounted: (place: Place) => string, mib: number): Promise<Place> => {
  const place = await Place.make();
  t.after(() => place.destroy());
  const point = mounted(place);
  await run('mkdir', ['-p', '-m', '0700', point], { timeoutMs });
  await run('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=700`, 'reelvault-test', point], { timeoutMs });
  return place;
};

const filesOf = async (place: Place): Promise<string[]> => {
  const directories = ['containers', 'keys', 'headers'].map((each) => path.join(place.storage, each));
  return (await Promise.all([...directories, path.join(place.mounts, '.headers')].map((each) => readdir(each)))).flat();
};

const nothingBut = (place: Place, point: string) => ({
  ...nothingLeft,
  mounts: [point].filter((each) => each.startsWith(place.root)),
});

for (const [step, more] of [
  ['key', {}],
  ['attached', { sparse: true }],
] as const) {
  test(`a disk that fills up after the step "${step}" of a create: no-space, nothing is left, and with space it is made`, async (t) => {
    const place = await placeWith(t, ({ storage }) => storage, 192);
    const filler = path.join(place.storage, 'filler');
    const command = `dd if=/dev/zero of=${filler} bs=1M status=none; true`;
    const unlucky = await place.helper({ commandAfter: { step, command } });
    const request = createRequest('userspace', more);
    await assert.rejects(unlucky.client.call(request), (error: ReelError) => {
      assert.equal(error.code, 'no-space', error.message);
      return true;
    });
    assert.deepEqual(await place.leftovers(), nothingBut(place, place.storage));
    assert.deepEqual(await filesOf(place), []);
    await unlucky.stop();
    await rm(filler);
    const helper = await place.helper();
    assert.equal((await helper.client.call(request)).result.state, 'locked');
  });
}

test('a second place of header backups that is full: the key is told as not done, and done once there is space', async (t) => {
  const place = await placeWith(t, ({ mounts }) => path.join(mounts, '.headers'), 64);
  const { client } = await place.helper();
  await client.call(createRequest('userspace'));
  const second = path.join(place.mounts, '.headers');
  const filler = path.join(second, 'filler');
  const before = await filesOf(place);
  await run('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4096', 'status=none'], { timeoutMs }).catch(() => undefined);
  const add = { verb: 'keys-add', name: 'v', current: 'keyFile', kind: 'passphrase' } as const;
  for (const request of [
    () => client.call(add, bytes('a second phrase')),
    () => client.call({ verb: 'header-backup', name: 'v' }),
    () => client.call({ verb: 'keys-rotate', name: 'v' }),
  ]) {
    await assert.rejects(request(), (error: ReelError) => {
      assert.equal(error.code, 'no-space', error.message);
      return true;
    });
    const half = (await filesOf(place)).filter((file) => /^\.[0-9a-f-]{36}\./.test(file));
    assert.deepEqual(half, [], 'half a copy of a header');
    assert.deepEqual(
      (await readdir(second)).sort(),
      [...before.filter((file) => file.endsWith('.img')).slice(0, 1), 'filler'].sort(),
    );
  }
  await rm(filler);
  await client.call(add, bytes('a second phrase'));
  await client.call({ verb: 'keys-rotate', name: 'v' });
  const copies = (await readdir(second)).sort();
  assert.deepEqual(copies, (await readdir(path.join(place.storage, 'headers'))).sort());
  await writeFile(filler, '');
  assert.equal((await client.call({ verb: 'header-compare', name: 'v' })).result.backupName, copies.at(-1));
});
