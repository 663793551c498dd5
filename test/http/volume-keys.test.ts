/** The routes of the keys: which bytes of a body reach which secret, and that none stays behind. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { signedIn, standIn } from './support.ts';

const { app, seen, lines } = await standIn();
after(() => app.close());
const base = '/api/v1/volumes/main/keys';

const post = (path: string, body?: string) => {
  seen.calls.length = 0;
  seen.secrets.length = 0;
  const url = `${base}${path}`;
  if (body === undefined) return app.inject({ method: 'POST', url, headers: signedIn });
  const headers = { ...signedIn, 'content-type': 'application/octet-stream' };
  return app.inject({ method: 'POST', url, headers, payload: Buffer.from(body, 'latin1') });
};
const zeroed = async (): Promise<void> => {
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(seen.secrets.length > 0);
  assert.ok(seen.secrets.every((secret) => secret.every((byte) => byte === 0)));
};

test('add: the first bytes are the key that opens now, the rest is the new one, zeros and newlines too', async () => {
  const added = await post('?current=4', 'o\0l\nnew\0');
  assert.deepEqual([added.statusCode, added.json()], [200, { slot: 1, added: true, removed: [] }]);
  assert.deepEqual(seen.calls, [{ call: 'key add', name: 'main', options: 'new\0', secret: 'o\0l\n' }]);
  await zeroed();
  await post('', 'new');
  assert.deepEqual(seen.calls, [{ call: 'key add', name: 'main', options: 'new' }]);
  await post('?kind=keyFile&current=3', 'old');
  assert.deepEqual(seen.calls, [{ call: 'key add', name: 'main', options: 'keyFile', secret: 'old' }]);
});

test('change, remove, rotate, list', async () => {
  assert.deepEqual((await post('/change?current=3', 'oldfresh')).json(), {
    ...{ slot: 2, added: true, removed: [1], left: [2] },
  });
  assert.deepEqual(seen.calls, [{ call: 'key change', name: 'main', options: 'old', secret: 'fresh' }]);
  await post('/remove?slot=1&current=5', 'stays');
  assert.deepEqual(seen.calls, [{ call: 'key remove', name: 'main', options: 1, secret: 'stays' }]);
  await post('/remove', 'leaked');
  assert.deepEqual(seen.calls, [{ call: 'key remove', name: 'main', options: 'leaked' }]);
  await post('/rotate');
  assert.deepEqual(seen.calls, [{ call: 'key rotate', name: 'main' }]);
  const list = await app.inject({ method: 'GET', url: base, headers: signedIn });
  assert.deepEqual(list.json(), { type: 'luks2', reencrypting: false, keys: [] });
});

test('a recovery key is text, not JSON, is not cached, and is zeroed once it is out', async () => {
  const made = await post('/recovery?current=3', 'old');
  assert.equal(made.statusCode, 200, made.body);
  assert.match(String(made.headers['content-type']), /^text\/plain/);
  assert.equal(made.headers['cache-control'], 'no-store');
  assert.equal(made.body, 'marked-recovery-key');
  await zeroed();
  assert.ok(!lines.join('').includes('marked-recovery-key'));
});

test('bodies that do not fit are refused before anything is done', async () => {
  for (const [path, body] of [
    ['?current=9', 'short'],
    ['?current=5', 'short'],
    ['', undefined],
    ['?kind=keyFile&current=2', 'more'],
    ['?kind=keyFile', 'stray'],
    ['?kind=other', 'x'],
    ['?current=0', 'x'],
    ['/change', 'x'],
    ['/change?current=3', 'old'],
    ['/remove?current=3', 'old'],
    ['/remove?slot=32&current=3', 'old'],
    ['/remove?slot=1&current=2', 'old'],
    ['/recovery', 'stray'],
  ] as const) {
    const answer = await post(path, body);
    assert.equal(answer.statusCode, 400, `${path} ${body}`);
    assert.equal(answer.json().error.code, 'invalid-argument', path);
    assert.deepEqual(seen.calls, [], path);
  }
});

test('reencrypt: under way is 202, other keys only with consent', async () => {
  const url = '/../reencrypt';
  const begun = await post(url, 'phrase');
  assert.deepEqual([begun.statusCode, begun.json().state], [202, 'running']);
  assert.deepEqual(seen.calls, [
    { call: 'reencrypt', name: 'main', options: { dropOtherKeys: false }, secret: 'phrase' },
  ]);
  await zeroed();
  await post(`${url}?dropOtherKeys=true`);
  assert.deepEqual(seen.calls, [{ call: 'reencrypt', name: 'main', options: { dropOtherKeys: true } }]);
  assert.equal((await post(`${url}/resume`, 'phrase')).statusCode, 202);
  assert.deepEqual(seen.calls, [{ call: 'reencrypt resume', name: 'main', secret: 'phrase' }]);
  const found = await app.inject({ method: 'GET', url: '/api/v1/volumes/main/reencrypt', headers: signedIn });
  assert.deepEqual(found.json(), { state: 'none', progress: null, problem: null });
});

test('only the admin', async () => {
  for (const [method, path] of [
    ['GET', ''],
    ['POST', ''],
    ['POST', '/rotate'],
    ['POST', '/recovery'],
  ] as const) {
    assert.equal((await app.inject({ method, url: `${base}${path}` })).statusCode, 401);
  }
});
