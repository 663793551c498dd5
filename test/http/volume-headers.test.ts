/** The routes of headers and of the end of a volume: what reaches the parts, and what is refused before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signedIn, standIn } from './support.ts';

const backup = '5eed0000-1111-4222-8333-444455556666.20261122T101500000Z.img';
const at = (rest: string): string => `/api/v1/volumes/main${rest}`;

test('each route reaches its part with what was asked', async () => {
  const { app, seen } = await standIn();
  const call = (method: 'GET' | 'POST' | 'DELETE', url: string) =>
    app.inject({ method, url: at(url), headers: signedIn });
  assert.deepEqual((await call('GET', '/header/backups')).json(), { places: ['/a/headers'], backups: [] });
  const made = await call('POST', '/header/backups');
  assert.deepEqual([made.statusCode, made.json().removedFiles], [201, 1]);
  assert.equal((await call('GET', `/header/compare?backup=${backup}`)).json().same, true);
  assert.equal((await call('GET', '/header/check')).json().ok, true);
  assert.equal((await call('POST', '/header/restore')).json().restored, 'b');
  assert.equal((await call('POST', `/header/restore?backup=${backup}&force=true`)).statusCode, 200);
  assert.equal((await call('POST', '/header/repair')).json().repaired, true);
  assert.equal((await call('DELETE', '?confirm=main')).json().headerBytes, 1);
  assert.deepEqual(
    seen.calls.map(({ call: name, options }) => [name, options === undefined ? undefined : { ...(options as object) }]),
    [
      ['header-backup', undefined],
      ['header-compare', { backup }],
      ['header-restore', { force: false }],
      ['header-restore', { backup, force: true }],
      ['header-repair', undefined],
      ['destroy', { confirm: 'main' }],
    ],
  );
  await app.close();
});

test('nobody without a sign-in, no name of a file that is none of the list, and no destruction without a confirmation', async () => {
  const { app, seen } = await standIn();
  for (const [method, url] of [
    ['GET', '/header/backups'],
    ['POST', '/header/restore'],
    ['DELETE', '?confirm=main'],
  ] as const) {
    assert.equal((await app.inject({ method, url: at(url) })).statusCode, 401);
  }
  for (const [method, url] of [
    ['POST', '/header/restore?backup=..%2F..%2Fetc%2Fshadow'],
    ['POST', `/header/restore?backup=%2Fstorage%2Fheaders%2F${backup}`],
    ['GET', '/header/compare?backup=x'],
    ['POST', '/header/restore?forced=true'],
    ['DELETE', ''],
  ] as const) {
    assert.equal((await app.inject({ method, url: at(url), headers: signedIn })).statusCode, 400, url);
  }
  assert.deepEqual(seen.calls, []);
  await app.close();
});
