/** /api/v1/config with the real configuration behind it. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { defaultSettings } from '../../src/config/settings.ts';
import { ConfigStore } from '../../src/config/store.ts';
import { configPart } from '../../src/daemon/config-part.ts';
import { signedIn, standIn } from './support.ts';

const folder = await mkdtemp(path.join(os.tmpdir(), 'rv-http-config-'));
const file = path.join(folder, 'reelvault.yaml');
const store = await ConfigStore.open({
  ...{ file, history: path.join(folder, 'history'), now: Date.now, given: new Set(['hangMs']) },
  border: { ...defaultSettings, webhookSecretFile: '/etc/secret' },
});
const { app, lines, recorded } = await standIn({ config: configPart(store) });
after(async () => {
  await app.close();
  await store.close();
  await rm(folder, { recursive: true });
});

const ask = (
  method: 'GET' | 'PUT' | 'PATCH' | 'POST',
  url: string,
  payload?: string | Buffer | object,
  more: object = {},
) =>
  app.inject({
    ...{ method, url: `/api/v1/config${url}`, ...(payload === undefined ? {} : { payload }) },
    headers: {
      ...signedIn,
      ...(typeof payload === 'string' || Buffer.isBuffer(payload) ? { 'content-type': 'application/yaml' } : {}),
      ...more,
    },
  });
const errorOf = (response: { json: () => { error: { code: string; details: { problems: object[] } } } }) =>
  response.json().error;

test('read, save the whole text by its tag, and read again', async () => {
  const first = await ask('GET', '');
  assert.deepEqual(first.json().overridden, [{ key: 'tuning.hang_ms', by: 'REELVAULT_HANG_MS' }]);
  const tag = String(first.headers.etag);
  const text = '# ours\nwebhook:\n  urls: [https://a/marked-1]\n';
  const saved = await ask('PUT', '', text, { 'if-match': tag });
  assert.equal(saved.statusCode, 200, saved.body);
  assert.deepEqual(saved.json().changes, [
    { key: 'webhook.urls', from: [], to: ['(secret)'], applies: 'at once', risky: false },
  ]);
  assert.equal(await readFile(file, 'utf8'), text);
  const again = await ask('PUT', '', 'tuning: {}\n', { 'if-match': tag });
  assert.deepEqual([again.statusCode, errorOf(again).code], [412, 'config-changed']);
  assert.equal((await ask('PUT', '', 'tuning: {}\n')).statusCode, 400);
  const { body, headers } = await ask('GET', '');
  assert.ok(!body.includes('marked'), body);
  assert.notEqual(headers.etag, tag);
});

test('every problem is in the answer, with line and column, and nothing has changed', async () => {
  const refused = await ask('PUT', '', 'tuning:\n  speed: 1\n  hang_ms: 1\n', { 'if-match': '*' });
  assert.equal(refused.statusCode, 422);
  assert.deepEqual(
    errorOf(refused).details.problems.map((problem) => Object.values(problem).slice(0, 3)),
    [
      [2, 3, 'tuning.speed'],
      [3, 3, 'tuning.hang_ms'],
    ],
  );
  const checked = await ask('POST', '/validate', 'tuning:\n  speed: 1\n');
  assert.deepEqual([checked.statusCode, checked.json().valid, checked.json().problems.length], [200, false, 1]);
  assert.deepEqual((await ask('POST', '/validate')).json(), { valid: true, problems: [] });
  assert.match(await readFile(file, 'utf8'), /^# ours/);
});

test('bytes that are no UTF-8, and too many of them', async () => {
  const odd = await ask('PUT', '', Buffer.from('# \xff\n', 'latin1'), { 'if-match': '*' });
  assert.deepEqual([odd.statusCode, errorOf(odd).code], [422, 'config-invalid']);
  assert.equal((await ask('PUT', '', '#'.repeat(200_000), { 'if-match': '*' })).statusCode, 413);
});

test('keys by a merge patch; on trial, confirmed; history, diff and roll-back', async () => {
  const set = await ask('PATCH', '', { tuning: { segment_ms: 2000, hang_ms: 5000 } });
  assert.deepEqual(
    set.json().changes.map(({ key, applies }: { key: string; applies: string }) => [key, applies]),
    [
      ['tuning.segment_ms', 'at once'],
      ['tuning.hang_ms', 'not while the environment sets it'],
    ],
  );
  const tried = (await ask('PATCH', '', { tuning: { listen: '127.0.0.1:9443' } })).json();
  assert.equal(tried.trial.id, (await ask('GET', '')).json().trial.id);
  assert.equal((await ask('PATCH', '', { tuning: { segment_ms: 3000 } })).statusCode, 409);
  assert.equal((await ask('POST', '/confirm', { id: tried.trial.id })).statusCode, 200);
  assert.equal((await ask('POST', '/cancel', { id: tried.trial.id })).statusCode, 404);
  const { versions } = (await ask('GET', '/history')).json();
  assert.deepEqual(
    versions.map(({ id, by }: { id: number; by: string }) => [id, by]),
    [3, 2, 1].map((id) => [id, 'admin from 127.0.0.1']),
  );
  const { diff } = (await ask('GET', '/history/1/diff?to=2')).json();
  assert.match(diff, /^\+ {2}segment_ms: 2000$/m);
  assert.equal((await ask('GET', '/history/3/diff')).json().diff, '');
  const back = (await ask('POST', '/rollback', { id: 2 })).json();
  assert.equal(back.trial.changes[0].key, 'tuning.listen');
  assert.equal((await ask('POST', '/cancel', { id: back.trial.id })).statusCode, 204);
  assert.equal((await ask('POST', '/rollback', { id: 99 })).statusCode, 404);
});

test('locked', async () => {
  await writeFile(`${file}.locked`, 'by hand only\n');
  for (const refused of [
    await ask('PATCH', '', { tuning: { segment_ms: 2500 } }),
    await ask('PUT', '', 'tuning: {}\n', { 'if-match': '*' }),
    await ask('POST', '/rollback', { id: 1 }),
  ]) {
    assert.deepEqual([refused.statusCode, errorOf(refused).code], [423, 'config-locked']);
    assert.match(refused.json().error.got, /by hand only/);
  }
  assert.equal((await ask('GET', '')).json().locked.reason, 'by hand only');
  await rm(`${file}.locked`);
});

test('secrets are in no line of the log and in no entry of the audit trail', () => {
  assert.ok(recorded.length > 0);
  assert.ok(!`${lines.join('')}${JSON.stringify(recorded)}`.includes('marked'));
});
