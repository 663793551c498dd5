/** One filesystem that does not answer costs one thread, and keeps nobody waiting. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoomLooks } from '../../../src/volume/watch/room-looks.ts';

const room = { capacity: 2, available: 1, files: 4, filesFree: 3 };

test('while a look hangs there is no other; it is asked again when that is over', async () => {
  const asked: string[] = [];
  const hanging = Promise.withResolvers<typeof room>();
  const looks = new RoomLooks({
    look: (point) => {
      asked.push(point);
      return point === 'hangs' ? hanging.promise : Promise.resolve(room);
    },
  });
  assert.deepEqual(await looks.at('works'), room);
  assert.deepEqual(await Promise.all([looks.at('hangs'), looks.at('works'), looks.at('hangs')]), [
    undefined,
    undefined,
    undefined,
  ]);
  assert.deepEqual(asked, ['works', 'hangs']);
  hanging.resolve(room);
  await hanging.promise;
  await new Promise(setImmediate);
  assert.deepEqual(await looks.at('works'), room);
});

test('a filesystem that is gone has no room', async () => {
  assert.equal(await new RoomLooks().at('/no/such/place'), undefined);
});
