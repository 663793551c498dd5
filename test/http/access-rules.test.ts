/** Access rules at the HTTP server: who comes in through which route, and what holds while they are in. */
import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { suite, type TestContext, test } from 'node:test';
import Fastify from 'fastify';
import pino from 'pino';
import { BasicAuth } from '../../src/auth/basic.ts';
import { hashPassword } from '../../src/auth/password.ts';
import { AccessControl } from '../../src/auth/rules/control.ts';
import { TicketOffice } from '../../src/auth/tickets.ts';
import { guard } from '../../src/http/access.ts';
import { signedIn, standIn } from './support.ts';

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE' | 'HEAD' | 'OPTIONS';
const as = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

const withRules = async (t: TestContext, rules: object, more: Parameters<typeof standIn>[0] = {}) => {
  const made = await standIn({ rules, ...more });
  t.after(async () => {
    await made.app.close();
    made.control.close();
  });
  const status = async (method: Method, url: string, headers: Record<string, string> = {}): Promise<number> =>
    (await made.app.inject({ method, url, headers })).statusCode;
  return { ...made, status };
};

const friend = { type: 'static', options: { username: 'friend', password: 'wine' } };
const chief = { type: 'static', allow_all: '*', options: { username: 'chief', password: 'hackme' } };
const denyAll = { type: 'anonymous', deny_all: '*' };

suite('without a global list', () => {
  test('what no role decides stays as it is', async (t) => {
    const { status } = await withRules(t, { streams: { cam: { authentication: [friend, denyAll] } } });
    assert.equal(await status('GET', '/cam/index.m3u8'), 401);
    assert.equal(await status('GET', '/cam/index.m3u8', as('friend', 'wine')), 200);
    assert.equal(await status('GET', '/cam/index.m3u8', as('friend', 'beer')), 401);
    assert.equal(await status('GET', '/mic/index.m3u8'), 200);
    assert.equal(await status('GET', '/api/v1/volumes', signedIn), 200);
    assert.equal(await status('GET', '/api/v1/volumes', as('friend', 'wine')), 401);
    assert.equal(await status('PUT', '/ingest/mic', signedIn), 200);
    assert.equal(await status('PUT', '/ingest/mic'), 401);
  });

  test('another spelling of a stream is the same stream', async (t) => {
    const { status } = await withRules(t, { streams: { cam: { authentication: [denyAll] } } });
    for (const url of ['/cam/index.m3u8', '/%63am/index.m3u8', '/cam/index.m3u8?stream=mic', '/cam/%69ndex.m3u8'])
      assert.equal(await status('GET', url), 403, url);
    assert.equal(await status('GET', '/api/v1/streams/cam', signedIn), 403);
    assert.equal(await status('PUT', '/ingest/cam', signedIn), 403);
  });
});

suite('with a global list', () => {
  test('it is the last word for every route', async (t) => {
    const { app, status } = await withRules(t, { authentication: [denyAll] });
    const spec = app.swagger() as unknown as { paths: Record<string, Record<string, object>> };
    let looked = 0;
    for (const [pattern, methods] of Object.entries(spec.paths))
      for (const method of Object.keys(methods)) {
        const url = pattern.replaceAll(/\{\w+\}/g, 'x');
        for (const headers of [{}, signedIn]) {
          const open = url === '/api/v1/health' && headers !== signedIn;
          assert.equal(
            await status(method.toUpperCase() as Method, url, headers),
            open ? 200 : 403,
            `${method} ${url}`,
          );
          looked += 1;
        }
      }
    assert.ok(looked > 100, String(looked));
    for (const url of ['/nothing', '/api/v1/nothing', '/metrics'])
      assert.equal(await status('GET', url, signedIn), 403);
  });

  test('roles of the service: its account and its tickets', async (t) => {
    const rules = [{ type: 'ticket', allow_method: 'put' }, { type: 'account', allow_all: '*' }, denyAll];
    const { app, status } = await withRules(t, { authentication: rules });
    assert.equal(await status('GET', '/api/v1/volumes', signedIn), 200);
    assert.equal(await status('GET', '/api/v1/volumes', as('admin', 'wrong')), 401);
    const { path } = (
      await app.inject({ method: 'POST', url: '/api/v1/streams/cam/tickets', headers: signedIn })
    ).json();
    assert.equal(await status('GET', path), 401);
    const { path: second } = (
      await app.inject({ method: 'POST', url: '/api/v1/streams/cam/tickets', headers: signedIn })
    ).json();
    assert.equal(await status('PUT', second), 200);
    assert.equal(await status('PUT', second), 401);
  });

  test('commands and methods of the API', async (t) => {
    const operator = {
      ...friend,
      allow_admin: ['volumes', 'streams/*'],
      deny_admin: 'streams/tickets',
      allow_method: 'post',
    };
    const { status } = await withRules(t, { authentication: [chief, operator] });
    const wine = as('friend', 'wine');
    assert.equal(await status('GET', '/api/v1/volumes', wine), 200);
    assert.equal(await status('GET', '/api/v1/volumes/main', wine), 200);
    assert.equal(await status('POST', '/api/v1/volumes/main/lock', wine), 403);
    assert.equal(await status('GET', '/api/v1/streams/cam/gaps?from=1&to=2', wine), 200);
    assert.equal(await status('POST', '/api/v1/streams/cam/tickets', wine), 403);
    assert.equal(await status('PUT', '/api/v1/volumes/main?size=1073741824', wine), 403);
    assert.equal(await status('POST', '/api/v1/volumes/main/lock', as('chief', 'hackme')), 200);
    assert.equal(await status('GET', '/api/v1/nothing', wine), 403);
    assert.equal(await status('GET', '/api/v1/nothing', as('chief', 'hackme')), 404);
  });

  test('who came is known to what is behind the route, and to the audit trail', async (t) => {
    const { app, recorded } = await withRules(t, { authentication: [{ ...chief, name: 'chiefs' }] });
    const published = await app.inject({ method: 'PUT', url: '/ingest/cam', headers: as('chief', 'hackme') });
    const rule = 'global 1 (static, chiefs)';
    assert.deepEqual(published.json(), { caller: { kind: 'user', user: 'chief', rule, admin: false } });
    await app.inject({ method: 'POST', url: '/api/v1/volumes/main/lock', headers: as('chief', 'hackme') });
    assert.deepEqual(recorded[0]?.who, { kind: 'user', user: 'chief', rule, admin: true, address: '127.0.0.1' });
  });

  test('a request that another site started with the password of this one changes nothing', async (t) => {
    const { status } = await withRules(t, { authentication: [chief] });
    const headers = { ...as('chief', 'hackme'), host: 'vault:8443' };
    assert.equal(await status('POST', '/api/v1/volumes/main/lock', { ...headers, origin: 'https://evil' }), 403);
    assert.equal(
      await status('POST', '/api/v1/volumes/main/lock', { ...headers, 'sec-fetch-site': 'cross-site' }),
      403,
    );
    assert.equal(await status('POST', '/api/v1/volumes/main/lock', { ...headers, origin: 'https://vault:8443' }), 200);
  });

  test('headers of the role are in the answer, for the status they are for', async (t) => {
    const http_headers = [
      { name: 'X-Who', value: 'friends' },
      { name: 'Cache-Control', value: 'private' },
      { name: 'X-Missing', value: 'yes', status: 404 },
    ];
    const { app } = await withRules(t, { authentication: [{ ...friend, http_headers, allow_admin: '*' }, denyAll] });
    const headers = as('friend', 'wine');
    const found = await app.inject({ url: '/api/v1/volumes', headers });
    assert.deepEqual(
      [found.headers['x-who'], found.headers['cache-control'], found.headers['x-missing']],
      ['friends', 'private', undefined],
    );
    assert.equal((await app.inject({ url: '/nothing', headers })).headers['x-missing'], 'yes');
    assert.equal((await app.inject({ url: '/nothing' })).headers['x-who'], undefined);
  });

  test('rules are exchanged as a whole, and not for ones that are not acceptable', async (t) => {
    const { control, status } = await withRules(t, { authentication: [denyAll] });
    assert.equal(await status('GET', '/cam/index.m3u8'), 403);
    for (const wrong of [
      { authentication: [{ type: 'nobody' }] },
      { authentication: [{ ...chief, deny_admin: 'volumse' }] },
    ])
      assert.throws(() => control.replace(wrong), { code: 'config-invalid' });
    assert.equal(await status('GET', '/cam/index.m3u8'), 403);
    control.replace({});
    assert.equal(await status('GET', '/cam/index.m3u8'), 200);
    assert.equal(await status('GET', '/api/v1/volumes'), 401);
  });

  test('rules that name commands the API does not have are refused at the start', async () => {
    await assert.rejects(standIn({ rules: { authentication: [{ ...chief, deny_admin: 'volumes/opne' }] } }), {
      code: 'config-invalid',
      message: /volumes\/opne/,
    });
  });
});

suite('guessing', () => {
  test('is slowed down for each address; a player with the right password is not', async (t) => {
    const { status, app } = await withRules(t, { authentication: [friend, denyAll] }, { attempts: 3 });
    for (let times = 0; times < 20; times += 1)
      assert.equal(await status('GET', '/cam/index.m3u8', as('friend', 'wine')), 200);
    for (let times = 0; times < 3; times += 1)
      assert.equal(await status('GET', '/cam/index.m3u8', as('friend', 'x')), 401);
    const blocked = await app.inject({ url: '/cam/index.m3u8', headers: as('friend', 'wine') });
    assert.equal(blocked.statusCode, 429);
    assert.match(String(blocked.headers['retry-after']), /^\d+$/);
  });

  test('passwords that an open stream did not ask for are no guesses', async (t) => {
    const rules = { streams: { cam: { authentication: [friend, { type: 'anonymous' }] } } };
    const { status } = await withRules(t, rules, { attempts: 2 });
    for (let times = 0; times < 9; times += 1)
      assert.equal(await status('GET', '/cam/index.m3u8', as('other', 'x')), 200);
  });

  test('no password, right or wrong, is in an answer or in the log', async (t) => {
    const secret = { type: 'static', options: { username: 'ann', password: 'marked-right' } };
    const { app, lines } = await withRules(t, { authentication: [secret, denyAll] });
    for (const password of ['marked-right', 'marked-wrong'])
      for (const url of ['/cam/index.m3u8', '/api/v1/volumes', '/cam/broken.ts', '/cam/defect.ts']) {
        const { body, headers } = await app.inject({ url, headers: as('ann', password) });
        assert.doesNotMatch(body + JSON.stringify(headers), /marked/);
      }
    assert.ok(lines.length > 0);
    assert.doesNotMatch(lines.join(''), /marked/);
    assert.doesNotMatch(lines.join(''), new RegExp(Buffer.from('ann:marked').toString('base64').slice(0, 10)));
  });
});

suite('limits', () => {
  test('connections of a user', async (t) => {
    const rules = { authentication: [{ ...friend, connections_per_user: 1 }] };
    const { status, app } = await withRules(t, rules);
    const headers = as('friend', 'wine');
    for (let times = 0; times < 3; times += 1) assert.equal(await status('GET', '/cam/index.m3u8', headers), 200);
    const other = await app.inject({ url: '/cam/index.m3u8', headers: { ...headers, 'user-agent': 'another' } });
    assert.equal(other.statusCode, 429);
    assert.equal(other.json().error.code, 'too-many-connections');
    assert.equal(await status('GET', '/mic/index.m3u8', { ...headers, 'user-agent': 'another' }), 200);
  });

  test('an answer that is still being sent is cut off when the time is over', async (t) => {
    const account = { version: 1 as const, user: 'admin', password: await hashPassword('x') };
    const tickets = new TicketOffice({ now: Date.now });
    const log = pino({ level: 'silent' });
    const rules = { authentication: [{ ...friend, connection_duration: 1 }] };
    const control = new AccessControl({ rules, files: '/', account, tickets, now: Date.now, log });
    const app = Fastify();
    guard(app, {
      ...{ control, tickets, auth: new BasicAuth({ account, now: Date.now }) },
      isLocal: () => false,
      listenerOf: () => ({ name: undefined, port: 0 }),
    });
    app.get('/:stream/all.ts', { config: { access: 'open' } }, async (_request, reply) =>
      reply.send(
        Readable.from(
          (async function* () {
            for (let count = 0; count < 300; count += 1) {
              yield `${count}\n`;
              await new Promise((resolve) => setTimeout(resolve, 20));
            }
          })(),
        ),
      ),
    );
    t.after(async () => {
      await app.close();
      control.close();
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address() as AddressInfo;
    const begun = performance.now();
    const ended = await new Promise<string>((resolve, reject) => {
      http
        .get({ port, host: '127.0.0.1', path: '/cam/all.ts', headers: as('friend', 'wine') }, (response) => {
          response
            .on('end', () => resolve('whole'))
            .on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? ''));
          response.resume();
        })
        .on('error', reject);
    });
    assert.equal(ended, 'ECONNRESET');
    const took = performance.now() - begun;
    assert.ok(took > 900 && took < 4000, String(took));
    const again = await fetch(`http://127.0.0.1:${port}/cam/all.ts`, { headers: as('friend', 'wine') });
    // Another program, so another connection: only this one's time is over.
    assert.equal(again.status, 200);
    await again.body?.cancel();
  });
});

suite('an explanation', () => {
  const explain = async (made: Awaited<ReturnType<typeof withRules>>, question: object) => {
    const answer = await made.app.inject({
      method: 'POST',
      url: '/api/v1/auth/explain',
      headers: as('chief', 'hackme'),
      payload: question,
    });
    assert.equal(answer.statusCode, 200, answer.body);
    return answer.json();
  };

  test('names the rule and every step before it', async (t) => {
    const rules = {
      listeners: { default: { authentication: [{ ...denyAll, match_method: 'trace' }] } },
      streams: {
        cam: { authentication: [{ ...friend, name: 'friends', connections_per_user: 2, connection_duration: 60 }] },
      },
      authentication: [chief, denyAll],
    };
    const made = await withRules(t, rules);
    const told = await explain(made, { method: 'get', url: 'https://vault:8443/cam/index.m3u8?x=1', user: 'friend' });
    assert.deepEqual(told, {
      outcome: 'allowed',
      why: 'stream 1 (static, friends) allows it: web is allowed by default',
      rule: 'stream 1 (static, friends)',
      user: 'friend',
      request: { route: '/:stream/index.m3u8', command: null, stream: 'cam', listener: 'default' },
      limits: { connectionsPerUser: 2, seconds: 60 },
      steps: [
        {
          level: 'listen socket',
          place: 1,
          type: 'anonymous',
          name: null,
          result: 'filtered',
          why: 'match_method does not have GET',
        },
        {
          level: 'stream',
          place: 1,
          type: 'static',
          name: 'friends',
          result: 'match',
          why: 'user and password are right',
        },
      ],
    });
    const stranger = await explain(made, { method: 'GET', url: '/api/v1/volumes/main' });
    assert.deepEqual(
      [stranger.outcome, stranger.rule, stranger.request.command],
      ['unauthorized', 'global 2 (anonymous)', 'volumes'],
    );
  });

  test('tells what the service itself does where no rule decides', async (t) => {
    const made = await standIn();
    t.after(() => made.app.close());
    const ask = async (method: string, url: string): Promise<string> =>
      (
        await made.app.inject({
          method: 'POST',
          url: '/api/v1/auth/explain',
          headers: signedIn,
          payload: { method, url },
        })
      ).json().why;
    assert.match(await ask('GET', '/cam/index.m3u8'), /anybody may ask$/);
    assert.match(await ask('PUT', '/ingest/cam'), /a publish ticket/);
    assert.match(await ask('GET', '/api/v1/volumes'), /the admin signs in/);
    assert.match(await ask('GET', '/api/nothing'), /the admin signs in/);
  });

  test('says of each route what happens there, and does nothing', async (t) => {
    const listener = { ...friend, deny_admin: '*' };
    const made = await withRules(t, {
      streams: { x: { authentication: [{ type: 'anonymous', match_method: 'get', nomatch_admin: '*' }] } },
      authentication: [chief, listener, denyAll],
    });
    const spec = made.app.swagger() as unknown as { paths: Record<string, Record<string, object>> };
    const refused: Record<string, number> = { unauthorized: 401, forbidden: 403 };
    let looked = 0;
    for (const [pattern, methods] of [
      ...Object.entries(spec.paths),
      ['/x/nothing', { get: {} }],
      ['/api/x', { get: {} }],
    ] as [string, object][])
      for (const method of Object.keys(methods))
        for (const user of [undefined, 'friend', 'chief']) {
          const url = pattern.replaceAll(/\{\w+\}/g, 'x');
          if (url === '/api/v1/health' || url === '/api/v1/events' || url.endsWith('/explain')) continue;
          const before = made.seen.calls.length;
          const told = await explain(made, { method, url, ...(user === undefined ? {} : { user }) });
          assert.equal(made.seen.calls.length, before);
          const password = user === 'chief' ? 'hackme' : 'wine';
          const status = await made.status(
            method.toUpperCase() as Method,
            url,
            user === undefined ? {} : as(user, password),
          );
          const refusal = status === 401 || status === 403 ? status : undefined;
          assert.equal(refusal, refused[told.outcome], `${method} ${url} as ${user}: ${told.outcome}, ${status}`);
          looked += 1;
        }
    assert.ok(looked > 150, String(looked));
  });
});
