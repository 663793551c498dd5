/** The URL backend against a real server, which keeps what it is sent. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { suite, type TestContext, test } from 'node:test';
import { closeRules } from '../../../src/auth/rules/compile.ts';
import { decide } from '../../../src/auth/rules/engine.ts';
import { ask, params, rulesOf, webRequest } from '../rules/support.ts';

interface Asked {
  readonly url: string;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
}

type Reply = (asked: Asked) => {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly silent?: boolean;
};

const serve = async (t: TestContext, reply: Reply) => {
  const asked: Asked[] = [];
  const server = http.createServer((request, response) => {
    text(request).then((body) => {
      const one = { url: request.url ?? '', body, headers: request.headers };
      asked.push(one);
      const { status = 200, headers = {}, silent = false } = reply(one);
      if (!silent) response.writeHead(status, headers).end('a body that nobody reads');
    }, assert.fail);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { asked, at: `127.0.0.1:${(server.address() as AddressInfo).port}` };
};

const closedPort = async (): Promise<string> => {
  const server = http.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.close();
  await once(server, 'close');
  return at;
};

const withOptions = (t: TestContext, options: object, changes = params()) => {
  const lists = rulesOf(`authentication: [{type: url, options: ${JSON.stringify(options)}}]`, changes);
  t.after(() => closeRules(lists));
  return lists;
};

const fred = ['fred', 'my pass&ü'] as const;
const play = (more: Parameters<typeof webRequest>[0] = {}) =>
  webRequest({ stream: 'cam', url: '/cam/index.m3u8?a=1&b=2', as: fred, ...more });

suite('what is sent', () => {
  test('client_add and client_remove, field by field', async (t) => {
    const { asked, at } = await serve(t, () => ({ headers: { 'icecast-auth-user': '1' } }));
    const lists = withOptions(t, { client_add: `http://${at}/add`, client_remove: `http://${at}/remove` });
    const decision = await decide(lists, play());
    assert.deepEqual([decision.outcome, decision.user], ['allowed', 'fred']);
    decision.client?.removed(3600.2);
    decision.client?.removed(3600.2);
    while (asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const [add, remove] = asked;
    const id = /client=(\d+)/.exec(add?.body ?? '')?.[1];
    assert.equal(add?.url, '/add');
    assert.equal(
      add?.body,
      `action=listener_add&server=vault.example&port=8443&client=${id}&mount=%2Fcam%3Fa%3D1%26b%3D2&user=fred&pass=my%20pass%26%C3%BC&ip=192.0.2.1&agent=test`,
    );
    assert.equal(
      remove?.body,
      `action=listener_remove&server=vault.example&port=8443&client=${id}&mount=%2Fcam%3Fa%3D1%26b%3D2&user=fred&pass=my%20pass%26%C3%BC&duration=3600&ip=192.0.2.1&agent=test`,
    );
    assert.equal(add?.headers['content-type'], 'application/x-www-form-urlencoded');
    assert.equal(asked.length, 2);
  });

  test('actions, headers of the client and their prefix', async (t) => {
    const { asked, at } = await serve(t, () => ({}));
    const lists = withOptions(t, {
      client_add: `http://${at}`,
      action_add: 'come in',
      headers: 'Referer, x-token,absent',
      header_prefix: 'ClientHeader.',
    });
    const headers: Record<string, string> = { referer: 'https://a/?b', 'x-token': 'c d' };
    await decide(lists, play({ header: (name) => headers[name], credentials: undefined }));
    assert.match(
      asked[0]?.body ?? '',
      /^action=come%20in&.*&user=&pass=&ip=192.0.2.1&agent=-&ClientHeader.Referer=https%3A%2F%2Fa%2F%3Fb&ClientHeader.x-token=c%20d$/,
    );
    assert.equal(asked[0]?.headers.authorization, undefined);
  });

  test('credentials: those of the URL, else of the options, else of the client', async (t) => {
    const { asked, at } = await serve(t, () => ({}));
    const sent = async (options: object): Promise<string> => {
      await decide(withOptions(t, options), play());
      const header = asked.at(-1)?.headers.authorization ?? '';
      return Buffer.from(header.replace('Basic ', ''), 'base64').toString();
    };
    assert.equal(await sent({ client_add: `http://x%40y:z@${at}`, username: 'a', password: 'b' }), 'x@y:z');
    assert.equal(await sent({ client_add: `http://${at}`, username: 'a', password: 'b' }), 'a:b');
    assert.equal(await sent({ client_add: `http://${at}` }), fred.join(':'));
  });
});

suite('what the answer means', () => {
  const rows: [string, object, Record<string, string>, string, number?][] = [
    ['old header', {}, { 'Icecast-Auth-User': '1' }, 'match'],
    ['old header with another value', {}, { 'icecast-auth-user': '0' }, 'fail'],
    ['old header with more in its value', {}, { 'icecast-auth-user': '11' }, 'fail'],
    ['new header', {}, { 'X-Icecast-Auth-Result': 'ok' }, 'match'],
    ['new header: failed', {}, { 'x-icecast-auth-result': 'failed' }, 'fail'],
    ['new header: no match', {}, { 'x-icecast-auth-result': 'no match' }, 'nomatch'],
    ['new header: nonsense', {}, { 'x-icecast-auth-result': 'perhaps' }, 'fail'],
    ['both, contradicting', {}, { 'x-icecast-auth-result': 'failed', 'icecast-auth-user': '1' }, 'fail'],
    ['nothing', {}, {}, 'fail'],
    ['own old header', { auth_header: 'x-in: yes' }, { 'x-in': 'yes, please' }, 'match'],
    ['own old header, and the normal one', { auth_header: 'x-in: yes' }, { 'icecast-auth-user': '1' }, 'fail'],
    ['own new header', { header_auth: 'X-In' }, { 'x-in': 'OK' }, 'match'],
    ['own new header, and the normal one', { header_auth: 'X-In' }, { 'x-icecast-auth-result': 'ok' }, 'fail'],
    ['old time limit', {}, { 'icecast-auth-user': '1', 'icecast-auth-timelimit': '900' }, 'match', 900],
    ['new time limit', {}, { 'icecast-auth-user': '1', 'x-icecast-auth-timelimit': '60' }, 'match', 60],
    ['own time limit', { timelimit_header: 'x-for:' }, { 'icecast-auth-user': '1', 'x-for': '7' }, 'match', 7],
    ['own new time limit', { header_timelimit: 'x-for' }, { 'icecast-auth-user': '1', 'x-for': '8' }, 'match', 8],
    ['time limit that is none', {}, { 'icecast-auth-user': '1', 'icecast-auth-timelimit': 'soon' }, 'match'],
  ];
  for (const [name, options, headers, result, seconds] of rows) {
    test(name, async (t) => {
      const { at } = await serve(t, () => ({ headers }));
      const decision = await decide(withOptions(t, { client_add: `http://${at}`, ...options }), play());
      assert.deepEqual([decision.steps[0]?.result, decision.seconds], [result, seconds]);
    });
  }

  test('why not is told', async (t) => {
    const { at } = await serve(t, () => ({ headers: { 'icecast-auth-message': 'no "money"' } }));
    const { steps } = await decide(withOptions(t, { client_add: `http://${at}` }), play());
    assert.match(steps[0]?.why ?? '', /does not let the client in: "no \\"money\\""/);
  });

  test('without client_add everybody matches', async (t) => {
    assert.equal((await decide(withOptions(t, {}), play())).outcome, 'allowed');
  });
});

suite('a server that gives no usable answer', () => {
  const troubles: [string, Reply | undefined, RegExp][] = [
    ['is silent', () => ({ silent: true }), /no answer within 100 ms/],
    ['fails', () => ({ status: 500, headers: { 'icecast-auth-user': '1' } }), /status 500/],
    ['points elsewhere', () => ({ status: 302, headers: { location: 'http://127.0.0.1:1/' } }), /status 302/],
    ['is not there', undefined, /ECONNREFUSED/],
  ];
  for (const [name, reply, why] of troubles) {
    test(name, async (t) => {
      const at = reply === undefined ? await closedPort() : (await serve(t, reply)).at;
      const results = {
        deny: ['fail', 'unauthorized'],
        next: ['nomatch', 'unauthorized'],
        allow: ['match', 'allowed'],
      };
      for (const [on_error, expected] of [[undefined, results.deny] as const, ...Object.entries(results)]) {
        const warned = params();
        const options = {
          client_add: `http://a:marked-secret@${at}`,
          timeout_ms: name === 'is silent' ? 100 : 10_000,
          on_error,
        };
        const { steps, outcome } = await decide(withOptions(t, options, warned), play());
        assert.deepEqual([steps[0]?.result, outcome], expected);
        assert.match(steps[0]?.why ?? '', why);
        assert.equal(/marked|my pass/.test(JSON.stringify([steps, warned.warned])), false);
      }
    });
  }

  test('is on a port where other protocols are spoken', async (t) => {
    const { steps } = await decide(withOptions(t, { client_add: 'http://127.0.0.1:25/' }), play());
    assert.match(steps[0]?.why ?? '', /port of another protocol/);
  });

  test('is asked again for the next request', async (t) => {
    const replies = [{ status: 503 }, { headers: { 'icecast-auth-user': '1' } }];
    const { at } = await serve(t, () => replies.shift() ?? {});
    const lists = withOptions(t, { client_add: `http://${at}` });
    assert.equal((await decide(lists, play())).outcome, 'unauthorized');
    assert.equal((await decide(lists, play())).outcome, 'allowed');
  });
});

suite('what is remembered', () => {
  test('an answer for the same client, as long as it holds, and one question at a time', async (t) => {
    let time = 0;
    const { asked, at } = await serve(t, () => ({ headers: { 'icecast-auth-user': '1' } }));
    const lists = withOptions(t, { client_add: `http://${at}`, cache_seconds: 10 }, params({ now: () => time }));
    await Promise.all([
      decide(lists, play()),
      decide(lists, play()),
      decide(lists, play({ url: '/cam/b.ts?a=1&b=2' })),
    ]);
    assert.equal(asked.length, 1);
    time = 9_999;
    await decide(lists, play());
    assert.equal(asked.length, 1);
    time = 10_000;
    await decide(lists, play());
    assert.equal(asked.length, 2);
    const ids = asked.map(({ body }) => /client=(\d+)/.exec(body)?.[1]);
    assert.equal(ids[0], ids[1]);
  });

  test('nothing for another user, password, address, stream, query or program', async (t) => {
    const { asked, at } = await serve(t, () => ({ headers: { 'icecast-auth-user': '1' } }));
    const lists = withOptions(t, { client_add: `http://${at}` });
    const others = [
      {},
      { as: ['fred', 'other'] as const },
      { as: ['ann', fred[1]] as const },
      { address: '192.0.2.2' },
      { stream: 'mic' },
      { url: '/cam/index.m3u8?a=2' },
      { header: () => 'player' },
    ];
    for (const other of others) await decide(lists, play(other));
    for (const other of others) await decide(lists, play(other));
    assert.equal(asked.length, others.length);
  });

  test('a refusal, too', async (t) => {
    const { asked, at } = await serve(t, () => ({}));
    const lists = withOptions(t, { client_add: `http://${at}` });
    for (let times = 0; times < 3; times += 1) assert.equal((await decide(lists, play())).outcome, 'unauthorized');
    assert.equal(asked.length, 1);
  });
});

test('an explanation asks nobody', async (t) => {
  const { asked, at } = await serve(t, () => ({}));
  const lists = withOptions(t, { client_add: `http://${at}` });
  assert.equal((await ask(lists, { stream: 'cam' }, { user: 'fred' })).outcome, 'allowed');
  assert.equal(asked.length, 0);
});
