import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyedMutex } from '../../src/volume/mutex.ts';

test('one key: in order, one at a time, also after a failure', async () => {
  const mutex = new KeyedMutex();
  const log: string[] = [];
  const held = Promise.withResolvers<void>();
  const a = mutex.run('v', async () => {
    log.push('a begins');
    await held.promise;
    log.push('a ends');
    throw new Error('a failed');
  });
  const b = mutex.run('v', async () => log.push('b'));
  const refused = assert.rejects(a, /a failed/);
  await Promise.resolve();
  assert.equal(mutex.busy('v'), true);
  held.resolve();
  await Promise.all([refused, b]);
  assert.deepEqual(log, ['a begins', 'a ends', 'b']);
  assert.equal(mutex.busy('v'), false);
});

test('different keys do not wait for each other', async () => {
  const mutex = new KeyedMutex();
  const held = Promise.withResolvers<void>();
  const a = mutex.run('v', () => held.promise);
  assert.equal(await mutex.run('w', async () => 'w done'), 'w done');
  held.resolve();
  await a;
});

test('idle waits for what runs', async () => {
  const mutex = new KeyedMutex();
  const held = Promise.withResolvers<void>();
  let done = false;
  const work = mutex.run('v', async () => {
    await held.promise;
    done = true;
  });
  const idle = mutex.idle().then(() => done);
  held.resolve();
  assert.equal(await idle, true);
  await work;
});
