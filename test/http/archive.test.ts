/** /api/v1/volumes/:name/retention, …/thin and …/episodes: what reaches the parts behind them. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { signedIn, standIn } from './support.ts';

const { app, seen, recorded } = await standIn();
after(() => app.close());
const api = '/api/v1/volumes/main';

const send = async (method: 'GET' | 'PUT' | 'POST' | 'DELETE', url: string, body?: object) => {
  seen.calls.length = 0;
  const answer = await app.inject({ method, url, headers: signedIn, ...(body === undefined ? {} : { payload: body }) });
  return {
    status: answer.statusCode,
    body: answer.json(),
    calls: seen.calls.map(({ call, options }) => [call, typeof options === 'object' ? { ...options } : options]),
  };
};

test('rules are changed by name, and null takes one away', async () => {
  const { status, calls } = await send('PUT', `${api}/retention`, { maxAgeSeconds: 86_400, freeMinutes: null });
  assert.equal(status, 200);
  assert.deepEqual(calls, [['retention', { maxAgeSeconds: 86_400, freeMinutes: null }]]);
  const own = await send('PUT', `${api}/retention/streams/cam1`, { share: 3 });
  assert.deepEqual(own.calls, [['retention stream', { of: 'cam1', change: { share: 3 } }]]);
  const gone = await send('DELETE', `${api}/retention/streams/cam1`);
  assert.deepEqual(gone.calls, [['retention stream', { of: 'cam1', change: undefined }]]);
});

test('rules that no archive can have are refused', async () => {
  for (const body of [{ maxAgeSeconds: 3599 }, { maxBytes: 0 }, { freeMinutes: -1 }, { maxAge: 86_400 }, { share: 2 }])
    assert.equal((await send('PUT', `${api}/retention`, body)).status, 400, JSON.stringify(body));
  for (const body of [{ share: 0 }, { freeMinutes: 5 }])
    assert.equal((await send('PUT', `${api}/retention/streams/cam1`, body)).status, 400, JSON.stringify(body));
  assert.equal((await send('PUT', `${api}/retention/streams/..%2Fcam`, { share: 1 })).status, 400);
});

test('a run deletes unless it is told not to, and never most of it by itself', async () => {
  const { calls } = await send('POST', `${api}/retention/run`);
  assert.deepEqual(calls, [['retention run', { dryRun: false, allowMost: false }]]);
  const dry = await send('POST', `${api}/retention/run?dryRun=true&allowMost=true`);
  assert.deepEqual(dry.calls, [['retention run', { dryRun: true, allowMost: true }]]);
});

test('thin begins with the least urgency', async () => {
  const { calls } = await send('POST', `${api}/thin?bytes=1.5G`);
  assert.deepEqual(calls, [['thin', { dryRun: false, allowMost: false, bytes: 1.5 * 2 ** 30, urgency: 1 }]]);
  for (const query of ['', '?bytes=x', '?bytes=1G&urgency=5', '?bytes=1G&urgency=0'])
    assert.equal((await send('POST', `${api}/thin${query}`)).status, 400, query);
});

test('an episode stands in the query, so that the audit trail has it', async () => {
  recorded.length = 0;
  const { status, calls } = await send('PUT', `${api}/episodes/final?stream=cam1&from=100&to=200.5&expiresAt=9e9`);
  assert.equal(status, 200);
  const episode = { id: 'final', stream: 'cam1', from: 100, to: 200.5, expiresAt: 9e9, note: '' };
  assert.deepEqual(calls, [['episode', { ...episode, replace: false }]]);
  assert.equal(recorded[0]?.what.to, 200.5);
  const forever = await send('PUT', `${api}/episodes/final?stream=cam1&from=1&to=2&replace=true&note=x`);
  assert.deepEqual(forever.calls, [
    ['episode', { id: 'final', stream: 'cam1', from: 1, to: 2, expiresAt: null, note: 'x', replace: true }],
  ]);
  assert.deepEqual((await send('DELETE', `${api}/episodes/final`)).body, {
    volume: 'main',
    id: 'final',
    removed: true,
  });
  assert.equal((await send('DELETE', `${api}/episodes/gone`)).body.removed, false);
});

test('all of it is for the admin', async () => {
  for (const [method, url] of [
    ['GET', `${api}/retention`],
    ['PUT', `${api}/retention`],
    ['POST', `${api}/retention/run`],
    ['POST', `${api}/thin?bytes=1G`],
    ['GET', `${api}/episodes`],
    ['PUT', `${api}/episodes/x?stream=cam&from=1&to=2`],
    ['DELETE', `${api}/episodes/x`],
  ] as const)
    assert.equal((await app.inject({ method, url })).statusCode, 401, url);
});
