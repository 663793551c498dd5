/** What requests leave in the audit trail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReelError } from '../../src/errors.ts';
import type { AuditPart } from '../../src/http/audit.ts';
import { password, signedIn, standIn } from './support.ts';

const octets = { ...signedIn, 'content-type': 'application/octet-stream' };

test('an act is recorded before it begins and when it has ended: who, what, how; never a secret', async () => {
  const { app, recorded } = await standIn();
  const url = '/api/v1/volumes/main/open';
  const answer = await app.inject({ method: 'POST', url, headers: octets, payload: 'marked-secret-8253' });
  assert.equal(answer.statusCode, 200);
  assert.deepEqual(
    recorded.map(({ act, phase, who, outcome }) => [act, phase, who.user, who.address, outcome.status]),
    [
      ['POST /api/v1/volumes/:name/open', 'begin', 'admin', '127.0.0.1', undefined],
      ['POST /api/v1/volumes/:name/open', 'end', 'admin', '127.0.0.1', 200],
    ],
  );
  assert.equal(recorded[0]?.what.name, 'main');
  assert.equal(recorded[0]?.requestId, answer.headers['x-request-id']);
  await app.inject({ method: 'PUT', url: '/api/v1/streams/cam', headers: signedIn, payload: { evidence: true } });
  assert.deepEqual(recorded[2]?.what, { name: 'cam', fields: ['evidence'] });
  assert.ok(!JSON.stringify(recorded).includes('marked-'));
  await app.close();
});

test('an act that fails is recorded with its error; questions and refused requests are not acts', async () => {
  const refuse = async (): Promise<never> => {
    throw new ReelError('wrong-key', { expected: 'a key', got: 'another' });
  };
  const { app, recorded } = await standIn({ volumes: { open: refuse } });
  await app.inject({ method: 'POST', url: '/api/v1/volumes/main/open', headers: signedIn });
  assert.deepEqual(recorded.at(-1)?.outcome, { status: 403, code: 'wrong-key' });
  const before = recorded.length;
  await app.inject({ url: '/api/v1/volumes', headers: signedIn });
  await app.inject({ method: 'POST', url: '/api/v1/volumes/main/open' });
  await app.inject({ method: 'POST', url: '/api/v1/volumes/UPPER/open', headers: signedIn });
  assert.equal(recorded.length, before);
  await app.close();
});

test('failed sign-ins are recorded without the password, and so many in a minute that a disk does not fill', async () => {
  let clock = Date.parse('2026-11-21T14:03:00Z');
  const { app, recorded } = await standIn({ attempts: 2, now: () => clock });
  const authorization = `Basic ${Buffer.from(`admin:${password}x`).toString('base64')}`;
  const fail = () => app.inject({ url: '/api/v1/volumes', headers: { authorization } });
  for (let n = 0; n < 70; n += 1) await fail();
  const failed = () => recorded.filter(({ act }) => act === 'login.failed');
  assert.equal(failed().length, 60);
  assert.deepEqual(failed()[0]?.who, { address: '127.0.0.1' });
  clock += 59_999;
  await fail();
  assert.equal(failed().length, 60, 'still the same minute');
  clock += 1;
  await fail();
  assert.deepEqual([failed().length, failed().at(-1)?.outcome.notRecordedBefore], [61, 11]);
  assert.ok(!JSON.stringify(recorded).includes('marked-'));
  await app.close();
});

test('a trail that cannot be written: nothing is changed, except that volumes can be locked', async () => {
  const broken: AuditPart['trail'] = {
    record: async () => {
      throw new ReelError('audit-unavailable', { expected: 'to write', got: 'ENOSPC' });
    },
    newest: async () => [],
    verify: async () => ({ whole: true, entries: 0, from: null, last: null, problem: null }),
  };
  const { app, seen, lines } = await standIn({ trail: broken });
  const opened = await app.inject({ method: 'POST', url: '/api/v1/volumes/main/open', headers: signedIn });
  assert.deepEqual([opened.statusCode, opened.json().error.code], [503, 'audit-unavailable']);
  assert.deepEqual(seen.calls, []);
  const locked = await app.inject({ method: 'POST', url: '/api/v1/volumes/main/lock', headers: signedIn });
  assert.equal(locked.statusCode, 200);
  assert.deepEqual(
    seen.calls.map(({ call }) => call),
    ['lock'],
  );
  assert.ok(lines.some((line) => line.includes('could not be recorded')));
  await app.close();
});
