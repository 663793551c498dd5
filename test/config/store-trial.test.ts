/** Changes that could cut the admin off: on trial, confirmed, and taken back. */
import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { failsWith, file, news, patch, reopen, store, until } from './store-ground.ts';

const risky = { tuning: { listen: '127.0.0.1:9443', hang_ms: 5000 } };

test('what could cut the admin off is on trial: it holds, is not saved, and is taken back by itself', async () => {
  await reopen({ trialMs: 300 });
  const taken: string[] = [];
  store.onChange('part', ({ tuning }) => void taken.push(tuning.listen));
  const { trial, changes } = await patch(risky);
  assert.deepEqual(
    changes.map((each) => [each.key, each.risky]),
    [
      ['tuning.listen', true],
      ['tuning.hang_ms', false],
    ],
  );
  assert.equal(store.current.tuning.listen, '127.0.0.1:9443');
  await assert.rejects(stat(file), { code: 'ENOENT' });
  await assert.rejects(
    patch({ tuning: { hang_ms: 6000 } }),
    failsWith('config-on-trial', /by test, which is taken back in 1 s/),
  );
  await assert.rejects(store.confirm('another'), failsWith('not-found'));
  await until(() => news.some(({ what }) => what === 'rolled-back'), 'the trial to end');
  assert.deepEqual(taken, ['127.0.0.1:9443', '127.0.0.1:8443']);
  assert.deepEqual(
    [store.current.tuning.listen, store.current.tuning.hang_ms, store.trial],
    ['127.0.0.1:8443', 30_000, undefined],
  );
  await assert.rejects(store.confirm(trial?.id ?? ''), failsWith('not-found'));
  assert.deepEqual(await store.history.list(), []);
});

test('a trial that is confirmed is saved and stays', async () => {
  await reopen({ trialMs: 300 });
  const { trial } = await patch(risky);
  await store.confirm(trial?.id ?? '');
  await sleep(500);
  assert.equal(store.current.tuning.listen, '127.0.0.1:9443');
  await reopen();
  assert.equal(store.current.tuning.listen, '127.0.0.1:9443');
  assert.deepEqual(
    (await store.history.list()).map(({ id, by }) => [id, by]),
    [[1, 'test']],
  );
});

test('a trial ends with the service, by hand, and before a change of the file', async () => {
  await patch(risky);
  await reopen();
  assert.equal(store.current.tuning.listen, '127.0.0.1:8443');
  const { trial } = await patch(risky);
  await store.cancel(trial?.id ?? '', 'test');
  assert.equal(store.current.tuning.listen, '127.0.0.1:8443');
  await patch(risky);
  await writeFile(file, 'tuning: {hang_ms: 7000}\n');
  await until(() => news.length === 5, 'the file to be taken up');
  assert.deepEqual([store.current.tuning.listen, store.trial], ['127.0.0.1:8443', undefined]);
  assert.deepEqual(
    news.map(({ what }) => what),
    ['trial', 'rolled-back', 'trial', 'rolled-back', 'changed'],
  );
});

test('what the environment sets is no trial, as nothing happens', async () => {
  await reopen({ given: ['listenHost', 'listenPort'] });
  const { trial } = await patch(risky);
  assert.equal(trial, undefined);
  assert.equal(store.current.tuning.listen, '127.0.0.1:8443');
});
