import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { password, signedIn, standIn } from './support.ts';

const { app, lines } = await standIn();
after(() => app.close());

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';
const codeOf = (response: { body: string }): string => JSON.parse(response.body).error.code;

const routes: [Method, string][] = [
  ['GET', '/api/v1/volumes'],
  ['GET', '/api/v1/volumes/main'],
  ['PUT', '/api/v1/volumes/main?size=1073741824'],
  ['POST', '/api/v1/volumes/main/open'],
  ['POST', '/api/v1/volumes/main/lock'],
  ['GET', '/api/v1/streams'],
  ['GET', '/api/v1/streams/cam'],
  ['PUT', '/api/v1/streams/cam'],
  ['DELETE', '/api/v1/streams/cam'],
  ['POST', '/api/v1/streams/cam/tickets'],
  ['PUT', '/ingest/cam'],
  // spellings of the same paths
  ['GET', '/%61pi/v1/volumes'],
  ['GET', '/api/v1/%76olumes'],
  ['PUT', '/%69ngest/cam'],
  // paths of no route
  ['GET', '/api'],
  ['GET', '/api/v1/nothing'],
  ['GET', '/%61pi/v1/nothing'],
  ['GET', '/api/index.m3u8'],
  ['DELETE', '/api/v1/volumes'],
];
for (const [method, url] of routes) {
  test(`401 without and with wrong credentials: ${method} ${url}`, async () => {
    for (const headers of [{}, { authorization: 'Basic YWRtaW46d3Jvbmc=' }, { authorization: 'Bearer x' }]) {
      const response = await app.inject({ method, url, headers });
      assert.equal(response.statusCode, 401, response.body);
      assert.equal(codeOf(response), 'unauthorized');
      assert.match(String(response.headers['www-authenticate']), /^Basic realm=/);
    }
  });
}

test('404 for the signed-in where no route is', async () => {
  for (const url of ['/api', '/api/v1/nothing', '/nothing']) {
    const response = await app.inject({ url, headers: signedIn });
    assert.equal(response.statusCode, 404, url);
    assert.equal(codeOf(response), 'not-found');
  }
  assert.equal((await app.inject({ url: '/nothing' })).statusCode, 404);
});

test('every registered route that changes something is closed to strangers', async () => {
  const spec = app.swagger() as { paths: Record<string, Record<string, { security?: unknown[] }>> };
  const checked: string[] = [];
  for (const [path, methods] of Object.entries(spec.paths)) {
    for (const method of Object.keys(methods)) {
      const url = path.replaceAll(/\{\w+\}/g, 'x');
      const { statusCode } = await app.inject({ method: method.toUpperCase() as Method, url });
      const open = path === '/api/v1/health' || (method === 'get' && path.startsWith('/{stream}/'));
      assert.equal(statusCode === 401, !open, `${method} ${path} answered ${statusCode}`);
      checked.push(path);
    }
  }
  assert.ok(checked.length >= 12, checked.join(' '));
});

test('health: little for strangers, details for the admin, 401 for wrong credentials', async () => {
  const stranger = await app.inject({ url: '/api/v1/health' });
  assert.deepEqual(stranger.json(), { alive: true, ready: false, parts: { helper: true, writer: false } });
  const admin = await app.inject({ url: '/api/v1/health', headers: signedIn });
  assert.deepEqual(admin.json().details.helper, { pid: 4711 });
  const wrong = await app.inject({ url: '/api/v1/health', headers: { authorization: 'Basic eDp5' } });
  assert.equal(wrong.statusCode, 401);
});

test('playback is open, and tells strangers nothing of the inside', async () => {
  assert.equal((await app.inject({ url: '/cam/index.m3u8' })).statusCode, 200);
  const broken = await app.inject({ url: '/cam/broken.ts' });
  assert.equal(broken.statusCode, 503);
  assert.equal(codeOf(broken), 'io-error');
  assert.doesNotMatch(broken.body, /mount/);
});

test('a defect answers `internal` without message, path or stack, and the log has them under the request id', async () => {
  for (const headers of [{}, signedIn]) {
    const response = await app.inject({ url: '/cam/defect.ts', headers });
    assert.equal(response.statusCode, 500);
    assert.equal(codeOf(response), 'internal');
    assert.doesNotMatch(response.body, /secret-place|ENOENT| at /);
    const id = String(response.headers['x-request-id']);
    assert.ok(lines.some((line) => line.includes(id) && line.includes('secret-place')));
  }
});

test('a ticket opens its stream once, and nothing else', async () => {
  const ticketFor = async (stream: string): Promise<{ ticket: string; path: string }> => {
    const response = await app.inject({ method: 'POST', url: `/api/v1/streams/${stream}/tickets`, headers: signedIn });
    assert.equal(response.statusCode, 201, response.body);
    return response.json();
  };
  const { ticket, path } = await ticketFor('cam');
  const published = await app.inject({ method: 'PUT', url: path });
  assert.deepEqual(published.json(), { caller: { kind: 'publisher', stream: 'cam' } });
  assert.equal((await app.inject({ method: 'PUT', url: path })).statusCode, 401, 'a second use');
  const other = await ticketFor('cam');
  assert.equal((await app.inject({ method: 'PUT', url: `/ingest/door?ticket=${other.ticket}` })).statusCode, 401);
  const third = await ticketFor('cam');
  assert.equal((await app.inject({ url: `/api/v1/volumes?ticket=${third.ticket}` })).statusCode, 401);
  assert.equal(
    (await app.inject({ method: 'PUT', url: `/ingest/cam?ticket=${third.ticket}&ticket=x` })).statusCode,
    401,
  );
  const basic = await app.inject({ method: 'PUT', url: '/ingest/cam', headers: signedIn });
  assert.deepEqual(basic.json(), { caller: { kind: 'admin', user: 'admin' } });
  assert.ok(lines.length > 0 && lines.every((line) => !line.includes(ticket)), 'a ticket stands in the log');
});

test('a request that another site started changes nothing', async () => {
  const send = (headers: object) =>
    app.inject({
      method: 'POST',
      url: '/api/v1/volumes/main/lock',
      headers: { ...signedIn, host: 'vault:8443', ...headers },
    });
  assert.equal((await send({ 'sec-fetch-site': 'cross-site' })).statusCode, 403);
  assert.equal((await send({ origin: 'https://evil.example' })).statusCode, 403);
  assert.equal((await send({ origin: 'null' })).statusCode, 403);
  assert.equal((await send({ origin: 'https://vault:8443', 'sec-fetch-site': 'same-origin' })).statusCode, 200);
});

test('too many wrong passwords: 429 with the time to wait', async () => {
  const limited = await standIn({ attempts: 1 });
  const wrong = { authorization: 'Basic eDp5' };
  assert.equal((await limited.app.inject({ url: '/api/v1/volumes', headers: wrong })).statusCode, 401);
  const response = await limited.app.inject({ url: '/api/v1/volumes', headers: signedIn });
  assert.equal(response.statusCode, 429);
  assert.match(String(response.headers['retry-after']), /^\d+$/);
  await limited.app.close();
});

test('no secret that was sent stands in an answer or in the log', async () => {
  const other = await standIn();
  const marks = ['marked-phrase-1', 'marked-ticket-2', 'marked-user-3', password] as const;
  const credentials = Buffer.from(`marked-user-3:${password}`).toString('base64');
  const octets = { 'content-type': 'application/octet-stream' };
  const requests = [
    { method: 'PUT' as const, url: '/api/v1/volumes/x?size=1', headers: { ...signedIn, ...octets }, payload: marks[0] },
    { method: 'POST' as const, url: '/api/v1/volumes/x/open', headers: { ...signedIn, ...octets }, payload: marks[0] },
    { method: 'PUT' as const, url: `/ingest/cam?ticket=${marks[1]}` },
    { method: 'GET' as const, url: `/nothing?ticket=${marks[1]}` },
    { method: 'GET' as const, url: `/%zz?ticket=${marks[1]}` },
    { method: 'GET' as const, url: '/api/v1/volumes', headers: { authorization: `Basic ${credentials}` } },
    {
      method: 'PUT' as const,
      url: '/api/v1/streams/x',
      headers: { ...signedIn, 'content-type': 'application/json' },
      payload: `{"${marks[0]}`,
    },
  ];
  for (const request of requests) {
    const { body, headers } = await other.app.inject(request);
    const text = body + JSON.stringify(headers);
    for (const mark of [...marks, credentials]) assert.equal(text.includes(mark), false, `${request.url}: ${text}`);
  }
  await other.app.close();
  const log = other.lines.join('');
  assert.ok(log.length > 500, 'the log is on');
  for (const mark of [...marks, credentials]) assert.equal(log.includes(mark), false, mark);
});
