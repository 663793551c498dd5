import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { ensureAdmin, loadAdmin } from '../../src/auth/admin-store.ts';
import { BasicAuth } from '../../src/auth/basic.ts';
import { AttemptLimiter, limiterKey } from '../../src/auth/limiter.ts';
import { generatePassword, hashPassword, verifyPassword } from '../../src/auth/password.ts';
import { TicketOffice } from '../../src/auth/tickets.ts';
import { ReelError } from '../../src/errors.ts';

const code = (wanted: string) => (error: unknown) => error instanceof ReelError && error.code === wanted;
const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

const directory = async (t: { after: (f: () => Promise<void>) => void }): Promise<string> => {
  const made = await mkdtemp(path.join(os.tmpdir(), 'reelvault-auth-'));
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
};

test('a generated password carries 140 bits and never repeats', () => {
  const seen = new Set(Array.from({ length: 200 }, generatePassword));
  assert.equal(seen.size, 200);
  for (const password of seen) assert.match(password, /^([0-9a-hjkmnp-tv-z]{4}-){6}[0-9a-hjkmnp-tv-z]{4}$/);
  // Each of the 32 letters turns up in 5600 drawn ones, or the drawing is not even.
  assert.equal(new Set([...seen].join('').replaceAll('-', '')).size, 32);
});

test('a hash verifies its password only, and two hashes of one password differ', async () => {
  const [first, second] = [await hashPassword('secret'), await hashPassword('secret')];
  assert.notEqual(first.hash, second.hash);
  assert.equal(await verifyPassword('secret', first), true);
  assert.equal(await verifyPassword('Secret', first), false);
});

test('the admin account is made once, private, and its password is not in the file', async (t) => {
  const state = await directory(t);
  const { user, password } = await ensureAdmin(state);
  assert.ok(password !== undefined);
  const file = path.join(state, 'admin.json');
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal((await readFile(file, 'utf8')).includes(password), false);
  assert.deepEqual(await ensureAdmin(state), { user });
  assert.equal(
    await new BasicAuth({ account: await loadAdmin(state), now: () => 0 }).check(basic(user, password), 'a'),
    user,
  );
});

test('a planted symbolic link is replaced, not followed', async (t) => {
  const state = await directory(t);
  const victim = path.join(state, 'victim');
  await symlink(victim, path.join(state, 'admin.json'));
  await ensureAdmin(state);
  await assert.rejects(stat(victim), { code: 'ENOENT' });
  assert.equal((await loadAdmin(state)).user, 'admin');
});

test('a missing or damaged account file lets nobody in', async (t) => {
  const state = await directory(t);
  await assert.rejects(loadAdmin(state), code('config-invalid'));
  for (const text of ['', '{', '{}', '{"version":1,"user":"admin","password":null}']) {
    await writeFile(path.join(state, 'admin.json'), text);
    await assert.rejects(loadAdmin(state), code('config-invalid'), text);
    await assert.rejects(ensureAdmin(state), code('config-invalid'), text);
  }
});

test('credentials: right ones pass, all others fail with the same words', async (t) => {
  const state = await directory(t);
  const { user, password = '' } = await ensureAdmin(state);
  const auth = new BasicAuth({ account: await loadAdmin(state), now: () => 0, attempts: 1000 });
  const wrong = [
    basic(user, 'wrong'),
    basic('nobody', password),
    basic(user, `${password}x`),
    basic('', ''),
    basic(`${user}:`, password),
    'Basic !!!',
    'Basic ',
    'Bearer abc',
    Buffer.from(`${user}:${password}`).toString('base64'),
  ];
  // Before and after a success: the cache must not change the answer.
  for (const round of ['cold', 'warm']) {
    const messages = new Set<string>();
    for (const header of wrong) {
      await auth.check(header, 'a').then(
        () => assert.fail(`${round}: ${header} passed`),
        (error: Error) => messages.add(error.message),
      );
    }
    assert.equal(messages.size, 1, [...messages].join('\n'));
    assert.equal(await auth.check(basic(user, password), 'a'), user);
  }
  await assert.rejects(auth.check(undefined, 'a'), code('unauthorized'));
});

test('verified credentials are not hashed again', async (t) => {
  const state = await directory(t);
  const { user, password = '' } = await ensureAdmin(state);
  const account = structuredClone(await loadAdmin(state));
  const auth = new BasicAuth({ account, now: () => 0 });
  await auth.check(basic(user, password), 'a');
  account.password.hash = Buffer.alloc(32).toString('base64');
  assert.equal(await auth.check(basic(user, password), 'a'), user);
  await assert.rejects(auth.check(basic(user, 'other'), 'a'), code('unauthorized'));
});

test('an address that fails too often waits, also with the right password; another address does not', async (t) => {
  const state = await directory(t);
  const { user, password = '' } = await ensureAdmin(state);
  let now = 0;
  const auth = new BasicAuth({ account: await loadAdmin(state), now: () => now, attempts: 2, refillMs: 1000 });
  // Sent at once: the attempts count before the slow hash has answered.
  const results = await Promise.allSettled([1, 2, 3].map(() => auth.check(basic(user, 'wrong'), '10.0.0.1')));
  const codes = results.map((result) => (result.status === 'rejected' ? (result.reason as ReelError).code : 'passed'));
  assert.deepEqual(codes, ['unauthorized', 'unauthorized', 'too-many-attempts']);
  await assert.rejects(auth.check(basic(user, password), '10.0.0.1'), code('too-many-attempts'));
  assert.equal(await auth.check(basic(user, password), '10.0.0.2'), user);
  now = 1000;
  assert.equal(await auth.check(basic(user, password), '10.0.0.1'), user);
  assert.equal(await auth.check(basic(user, password), '10.0.0.1'), user);
});

test('the limiter groups addresses as one host commands them and forgets the oldest', () => {
  assert.equal(limiterKey('::ffff:1.2.3.4'), '1.2.3.4');
  assert.equal(limiterKey('2001:db8:1:2:3::4'), limiterKey('2001:db8:1:2::'));
  assert.notEqual(limiterKey('2001:db8:1:3::1'), limiterKey('2001:db8:1:2::1'));
  assert.equal(limiterKey('fe80::1%eth0'), limiterKey('fe80::2'));
  const limiter = new AttemptLimiter({ attempts: 1, refillMs: 1000, addresses: 2, now: () => 0 });
  assert.deepEqual(
    ['a', 'b', 'b', 'c', 'a'].map((address) => limiter.take(address) > 0),
    [false, false, true, false, false],
  );
});

test('a ticket is good once, for its stream, for its time', () => {
  let now = 0;
  const office = new TicketOffice({ now: () => now, limit: 2 });
  const { ticket, expiresAt } = office.issue('cam', 1000);
  assert.equal(expiresAt, 1000);
  office.redeem(ticket, 'cam');
  assert.throws(() => office.redeem(ticket, 'cam'), code('unauthorized'));
  const other = office.issue('cam', 1000).ticket;
  assert.throws(() => office.redeem(other, 'other'), code('unauthorized'));
  assert.throws(() => office.redeem(other, 'cam'), code('unauthorized'));
  const late = office.issue('cam', 1000).ticket;
  now = 1000;
  assert.throws(() => office.redeem(late, 'cam'), code('unauthorized'));
  office.issue('cam', 1000);
  office.issue('cam', 1000);
  assert.throws(() => office.issue('cam', 1000), code('too-many-tickets'));
  now = 2000;
  office.issue('cam', 1000);
});
