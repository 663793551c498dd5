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

test('who comes while the second works waits for it, although the first is gone', async () => {
  const mutex = new KeyedMutex();
  const held = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const log: string[] = [];
  const work = (name: string, until?: Promise<void>) => async (): Promise<string> => {
    log.push(`${name} begins`);
    await until;
    log.push(`${name} ends`);
    return name;
  };
  const first = mutex.run('v', work('first', held[0]?.promise));
  const second = mutex.run('v', work('second', held[1]?.promise));
  held[0]?.resolve();
  assert.equal(await first, 'first');
  const third = mutex.run('v', work('third'));
  for (let turns = 0; turns < 10; turns += 1) await Promise.resolve();
  assert.deepEqual(log, ['first begins', 'first ends', 'second begins']);
  assert.equal(mutex.busy('v'), true);
  held[1]?.resolve();
  assert.deepEqual(await Promise.all([second, third]), ['second', 'third']);
  assert.deepEqual(log.slice(3), ['second ends', 'third begins', 'third ends']);
  assert.equal(mutex.busy('v'), false, 'a key that nobody uses is remembered');
});

test('work that throws before it awaits anything fails its caller and nobody else', async () => {
  const mutex = new KeyedMutex();
  const bad = mutex.run('v', () => {
    throw new Error('at once');
  });
  const good = mutex.run('v', async () => 'done');
  await assert.rejects(bad, /at once/);
  assert.equal(await good, 'done');
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

test('idle does not fail with what fails, and waits for the rest and for those that stand behind', async () => {
  const mutex = new KeyedMutex();
  const held = Promise.withResolvers<void>();
  const log: string[] = [];
  const bad = assert.rejects(
    mutex.run('v', async () => {
      throw new Error('failed');
    }),
  );
  const slow = mutex.run('w', () => held.promise);
  const behind = mutex.run('w', async () => log.push('behind'));
  const idle = mutex.idle().then(() => log.push('idle'));
  await bad;
  held.resolve();
  await idle;
  assert.deepEqual(log, ['behind', 'idle']);
  await Promise.all([slow, behind]);
});
