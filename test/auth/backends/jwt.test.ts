/** Tokens, with keys of a real server and of a file. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { decide } from '../../../src/auth/rules/engine.ts';
import { params, rulesOf, webRequest } from '../rules/support.ts';

const issuer = 'https://issuer.example';
const audience = 'vault';

const makeKey = async (kid: string, alg = 'EdDSA') => {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg } };
};
type Key = Awaited<ReturnType<typeof makeKey>>;

const sign = (key: Key, claims: object = {}, header: object = {}): Promise<string> => {
  const now = Math.floor(Date.now() / 1000);
  const payload = { iss: issuer, aud: audience, sub: 'ann', exp: now + 60, ...claims };
  const defined = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined));
  return new SignJWT(defined).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.privateKey);
};

const [first, second] = await Promise.all([makeKey('first'), makeKey('second')]);

const folder = async (t: TestContext): Promise<string> => {
  const made = await mkdtemp(path.join(os.tmpdir(), 'reelvault-keys-'));
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
};

const publish = async (files: string, ...keys: Key[]): Promise<void> => {
  const file = path.join(files, 'keys.json');
  await writeFile(`${file}.new`, JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
  await rename(`${file}.new`, file);
};

const rules = (files: string, more: object = {}) =>
  rulesOf(
    `authentication: [{type: jwt, options: ${JSON.stringify({ issuer, audience, jwks_file: 'keys.json', ...more })}}]`,
    { ...params(), files },
  );

const shown = (bearer: string, stream = 'cam') => webRequest({ bearer, stream });

suite('tokens', () => {
  const check = (name: string, make: () => Promise<string> | string, result: string, why: RegExp, more: object = {}) =>
    test(name, async (t) => {
      const files = await folder(t);
      await publish(files, first);
      const { steps } = await decide(rules(files, more), shown(await make()));
      assert.equal(steps[0]?.result, result);
      assert.match(steps[0]?.why ?? '', why);
    });
  const now = Math.floor(Date.now() / 1000);

  check('a good one', () => sign(first), 'match', /good/);
  check('one that has run out', () => sign(first, { exp: now - 1 }), 'fail', /run out/);
  check('one that has run out within the leeway', () => sign(first, { exp: now - 1 }), 'match', /good/, {
    leeway_seconds: 30,
  });
  check('one that is not good yet', () => sign(first, { nbf: now + 60 }), 'fail', /nbf/);
  check('one without an end', () => sign(first, { exp: undefined }), 'fail', /exp/);
  check('one for somebody else', () => sign(first, { aud: 'other' }), 'fail', /aud/);
  check('one for several', () => sign(first, { aud: ['other', audience] }), 'match', /good/);
  check('one of another issuer', () => sign(first, { iss: 'https://else' }), 'nomatch', /another issuer/);
  check('one without an issuer', () => sign(first, { iss: undefined }), 'nomatch', /another issuer/);
  check('one of an unknown key', () => sign(second), 'fail', /not in the key set/);
  check('one that says the name of another key', () => sign(second, {}, { kid: 'first' }), 'fail', /signature/);
  check('one by an algorithm that is not allowed', () => sign(first), 'fail', /algorithm/, { algorithms: ['ES256'] });
  check(
    'an unsigned one',
    () => new UnsecuredJWT({ iss: issuer, aud: audience, exp: now + 60 }).encode(),
    'fail',
    /algorithm|no token/,
  );
  check('something else', () => 'opaque', 'nomatch', /no JSON Web Token/);

  test('one with a key made of the public key as a secret', async (t) => {
    const files = await folder(t);
    await publish(files, first);
    const secret = Buffer.from(JSON.stringify(first.jwk));
    const token = await new SignJWT({ iss: issuer, aud: audience, exp: now + 60 })
      .setProtectedHeader({ alg: 'HS256', kid: 'first' })
      .sign(secret);
    assert.equal((await decide(rules(files), shown(token))).outcome, 'unauthorized');
  });

  test('HS256 and none cannot be allowed', () => {
    for (const algorithm of ['HS256', 'none'])
      assert.throws(() => rules('/', { algorithms: [algorithm] }), { code: 'config-invalid' });
  });

  test('without one another role decides', async (t) => {
    assert.equal((await decide(rules(await folder(t)), webRequest())).steps[0]?.result, 'nomatch');
  });

  test('the user, and how long it is good', async (t) => {
    const files = await folder(t);
    await publish(files, first);
    const decision = await decide(rules(files, { user_claim: 'name' }), shown(await sign(first, { name: 'Ann' })));
    assert.equal(decision.user, 'Ann');
    assert.ok((decision.remainingMs ?? 0) > 50_000 && (decision.remainingMs ?? 0) <= 60_000);
  });

  test('streams that it is good for', async (t) => {
    const files = await folder(t);
    await publish(files, first);
    const lists = rules(files, { streams_claim: 'streams' });
    const outcome = async (streams: unknown, stream: string) =>
      (await decide(lists, shown(await sign(first, { streams }), stream))).outcome;
    assert.equal(await outcome(['cam', 'mic'], 'mic'), 'allowed');
    assert.equal(await outcome('cam', 'cam'), 'allowed');
    assert.equal(await outcome(['*'], 'any'), 'allowed');
    assert.equal(await outcome(['cam'], 'camera'), 'unauthorized');
    assert.equal(await outcome(undefined, 'cam'), 'unauthorized');
    assert.equal(await outcome({ cam: true }, 'cam'), 'unauthorized');
  });
});

suite('keys', () => {
  test('of a file are rotated without a restart', async (t) => {
    const files = await folder(t);
    const lists = rules(files);
    const outcome = async (key: Key) => (await decide(lists, shown(await sign(key)))).outcome;
    assert.equal(await outcome(first), 'unauthorized');
    await publish(files, first);
    assert.equal(await outcome(first), 'allowed');
    await publish(files, first, second);
    assert.equal(await outcome(second), 'allowed');
    await publish(files, second);
    assert.equal(await outcome(first), 'unauthorized');
  });

  test('of a file that is damaged are none, and it is not quoted', async (t) => {
    const files = await folder(t);
    await writeFile(path.join(files, 'keys.json'), 'marked-secret');
    for (const [on_error, result] of [['deny', 'fail'] as const, ['next', 'nomatch'] as const]) {
      const { steps } = await decide(rules(files, { on_error }), shown(await sign(first)));
      assert.equal(steps[0]?.result, result);
      assert.equal(/marked/.test(JSON.stringify(steps)), false);
    }
  });

  test('of a server are asked for when a token names a new one, and not for every token', async (t) => {
    let keys = [first];
    let asked = 0;
    const server = http.createServer((_request, response) => {
      asked += 1;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const jwks_url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const lists = rules('/', { jwks_file: undefined, jwks_url });
    const outcome = async (key: Key) => (await decide(lists, shown(await sign(key)))).outcome;
    assert.equal(await outcome(first), 'allowed');
    assert.equal(await outcome(first), 'allowed');
    assert.equal(asked, 1);
    keys = [first, second];
    // Within the pause after the first question a stranger's tokens cannot make us ask again and again.
    assert.equal(await outcome(second), 'unauthorized');
    assert.equal(asked, 1);
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 31_000 });
    assert.equal(await outcome(second), 'allowed');
    assert.equal(asked, 2);
  });

  test('of a server that is not there let nobody in', async () => {
    const lists = rules('/', { jwks_file: undefined, jwks_url: 'http://127.0.0.1:1/', timeout_ms: 200 });
    const { outcome, steps } = await decide(lists, shown(await sign(first)));
    assert.deepEqual([outcome, steps[0]?.why], ['unauthorized', 'the key set cannot be had; on_error is deny']);
  });
});
