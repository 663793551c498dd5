import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReelError } from '../../src/errors.ts';
import { storageReason, TroubleLog } from '../../src/recorder/trouble-log.ts';

test('a trouble lasts until it ends, or until another begins in its place', () => {
  let now = 100;
  const log = new TroubleLog(() => now);
  log.began('volume:main', 'full');
  now = 200;
  log.began('volume:main', 'full');
  now = 300;
  assert.deepEqual(log.causes('volume:main'), [{ reason: 'full', from: 100, to: 300 }]);
  log.began('volume:main', 'locked');
  now = 400;
  log.ended('volume:main');
  log.ended('volume:main');
  now = 500;
  log.was('service', 'clock', 450, 9000);
  assert.deepEqual(log.causes('service', 'volume:main', 'stream:cam'), [
    { reason: 'clock', from: 450, to: 9000 },
    { reason: 'full', from: 100, to: 300 },
    { reason: 'locked', from: 300, to: 400 },
  ]);
  for (let turn = 0; turn < 100; turn += 1) log.was('stream:cam', 'disk', turn, turn + 1);
  assert.equal(log.causes('stream:cam').length, 32, 'and it does not grow');
  log.forget('stream:cam');
  assert.deepEqual(log.causes('stream:cam'), []);
});

test('what the storage did is told from what somebody wanted', () => {
  const reason = (code: 'no-space' | 'io-error' | 'volume-paused' | 'recording-stopped', details = {}) =>
    storageReason(new ReelError(code, { expected: 'a', got: 'b', details }));
  assert.equal(reason('no-space'), 'full');
  assert.equal(reason('io-error'), 'disk');
  assert.equal(reason('volume-paused', { condition: 'volume-space' }), 'full');
  assert.equal(reason('volume-paused', { code: 'storage-hung' }), 'disk');
  assert.equal(reason('recording-stopped'), undefined);
});
