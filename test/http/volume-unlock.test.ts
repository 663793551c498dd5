/** The routes of opening without an admin: what reaches which part, and that no secret stays behind. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { signedIn, standIn } from './support.ts';

const { app, seen } = await standIn();
after(() => app.close());

const call = (method: 'GET' | 'PUT' | 'POST', path: string, body?: string) => {
  seen.calls.length = 0;
  seen.secrets.length = 0;
  const url = `/api/v1${path}`;
  if (body === undefined) return app.inject({ method, url, headers: signedIn });
  const headers = { ...signedIn, 'content-type': 'application/octet-stream' };
  return app.inject({ method, url, headers, payload: Buffer.from(body) });
};

test('auto-open is shown and set', async () => {
  assert.equal((await call('GET', '/volumes/main/auto-open')).json().autoOpen, true);
  assert.equal((await call('PUT', '/volumes/main/auto-open?enabled=false')).json().autoOpen, false);
  assert.deepEqual(seen.calls, [{ call: 'auto-open', name: 'main', options: false }]);
  assert.equal((await call('PUT', '/volumes/main/auto-open')).statusCode, 400);
});

test('bind and unbind: the body is the key that opens now, zeroed afterwards', async () => {
  const thumbprint = 'A'.repeat(43);
  const query = new URLSearchParams({ pin: 'tang', url: 'http://tang:7500', thumbprint, current: '3' });
  const made = await call('POST', `/volumes/main/bindings?${query}`, 'old');
  assert.deepEqual([made.statusCode, made.json()], [200, { slot: 1, added: true, binding: 'tang' }]);
  const to = { pin: 'tang', url: 'http://tang:7500', thumbprint };
  assert.deepEqual(seen.calls, [{ call: 'bind', name: 'main', options: to, secret: 'old' }]);
  assert.ok(seen.secrets.every((secret) => secret.every((byte) => byte === 0)));
  await call('POST', '/volumes/main/bindings/2/remove?current=3', 'old');
  assert.deepEqual(seen.calls, [{ call: 'unbind', name: 'main', options: 2, secret: 'old' }]);
  const keys = await call('GET', '/tang-keys?url=http://tang:7500');
  assert.deepEqual(keys.json().thumbprints, [thumbprint]);
});

test('what does not fit is refused before anything is done', async () => {
  for (const [path, body] of [
    ['/volumes/main/bindings', undefined],
    ['/volumes/main/bindings?pin=sss', undefined],
    ['/volumes/main/bindings?pin=tpm2&pcrs=7;reboot', undefined],
    ['/volumes/main/bindings?pin=tang&thumbprint=short', undefined],
    ['/volumes/main/bindings?pin=tpm2', 'stray'],
    ['/volumes/main/bindings/32/remove', undefined],
  ] as const) {
    assert.equal((await call('POST', path, body)).statusCode, 400, path);
    assert.deepEqual(seen.calls, [], path);
  }
  assert.equal((await app.inject({ method: 'GET', url: '/api/v1/tang-keys?url=http://a' })).statusCode, 401);
});
