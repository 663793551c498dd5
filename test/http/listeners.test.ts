/** The two doors: HTTPS and the admin's socket. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';

import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import tls from 'node:tls';
import type { WireError } from '../../src/errors.ts';
import { Listeners } from '../../src/http/listeners.ts';
import { makeCertificate } from '../../src/tls/certificate.ts';
import { standIn } from './support.ts';

const directory = await mkdtemp(path.join(os.tmpdir(), 'reelvault-listeners-'));
const adminSocket = path.join(directory, 'admin.sock');
const { app, local } = await standIn();
const certificate = await makeCertificate('localhost', Date.now());
const make = (socket = adminSocket, port = 0): Listeners =>
  new Listeners({ app, local, certificate, host: '127.0.0.1', port, adminSocket: socket });

const listeners = make();
await listeners.start();
after(async () => {
  await listeners.close();
  await app.close();
  await rm(directory, { recursive: true });
});

const get = async (request: http.ClientRequest): Promise<{ status: number | undefined; body: string }> => {
  const [answer] = (await once(request.end(), 'response')) as [http.IncomingMessage];
  return { status: answer.statusCode, body: await text(answer) };
};
const overTls = (url: string) =>
  get(https.request(`https://127.0.0.1:${listeners.port}${url}`, { ca: certificate.certificate, agent: false }));
const overSocket = (url: string) => get(http.request({ socketPath: adminSocket, path: url, agent: false }));

test('the socket is the admin, HTTPS is a stranger, whatever the request says of itself', async () => {
  assert.equal((await overSocket('/api/v1/volumes')).status, 200);
  assert.equal((await overTls('/api/v1/volumes')).status, 401);
  const claims = { 'x-forwarded-for': '127.0.0.1', host: 'localhost', 'x-admin': '1' };
  const claiming = https.request(`https://127.0.0.1:${listeners.port}/api/v1/volumes`, {
    ca: certificate.certificate,
    headers: claims,
    agent: false,
  });
  assert.equal((await get(claiming)).status, 401);
  assert.equal((await overTls('/api/v1/health')).status, 200);
});

test('the socket is private', async () => {
  assert.equal((await stat(adminSocket)).mode & 0o777, 0o600);
});

const handshake = async (maxVersion: tls.SecureVersion): Promise<string | null> => {
  // The system's OpenSSL refuses old versions on its own at the default level.
  const socket = tls.connect({
    port: listeners.port,
    host: '127.0.0.1',
    ca: certificate.certificate,
    minVersion: 'TLSv1',
    maxVersion,
    ciphers: 'DEFAULT@SECLEVEL=0',
  });
  await once(socket, 'secureConnect');
  const version = socket.getProtocol();
  socket.destroy();
  return version;
};

/** Sends bytes as they are and gives the answer, headers and body. */
const exchange = async (
  socket: net.Socket,
  bytes: string,
): Promise<{ head: string; error: WireError & { requestId: string } }> => {
  const answer = text(socket);
  socket.write(bytes);
  const [head = '', body = ''] = (await answer).split('\r\n\r\n');
  return { head, error: JSON.parse(body).error };
};
const rawTls = () => tls.connect({ port: listeners.port, host: '127.0.0.1', ca: certificate.certificate });
const rawSocket = () => net.connect(adminSocket);

const tooMuch: [title: string, bytes: string, status: number, code: string, expected: RegExp][] = [
  [
    'large headers',
    `GET / HTTP/1.1\r\nhost: x\r\ncookie: ${'c'.repeat(20_000)}\r\n\r\n`,
    431,
    'headers-too-large',
    /15360 bytes/,
  ],
  [
    'headers far larger than is read',
    `GET / HTTP/1.1\r\ncookie: ${'c'.repeat(2_000_000)}\r\n\r\n`,
    431,
    'headers-too-large',
    /./,
  ],
  [
    'a URL longer than all headers may be',
    `GET /${'u'.repeat(60_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
    414,
    'url-too-long',
    /8192 bytes/,
  ],
  [
    'a URL that Node would take',
    `GET /?${'u'.repeat(9000)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    414,
    'url-too-long',
    /8192 bytes/,
  ],
  [
    'a long name in a path',
    `GET /api/v1/volumes/${'u'.repeat(300)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    414,
    'url-too-long',
    /at most 200/,
  ],
  ['what is no HTTP', 'hello marked-word\r\n\r\n', 400, 'invalid-argument', /HTTP\/1\.1/],
];
for (const [title, bytes, status, code, expected] of tooMuch) {
  for (const [where, connect] of [
    ['HTTPS', rawTls],
    ['the socket', rawSocket],
  ] as const)
    test(`${title}, over ${where}: ${status} in the form of all errors`, async () => {
      const { head, error } = await exchange(connect(), bytes);
      assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} [A-Z]`));
      assert.match(head, /content-type: application\/json/i);
      assert.equal(error.code, code);
      assert.match(error.expected, expected);
      assert.match(error.requestId, /^[0-9a-f-]{36}$/);
      assert.ok(head.includes(error.requestId));
      assert.equal(JSON.stringify(error).includes('marked-word'), false);
    });
}

test('TLS 1.2 and 1.3, nothing older', async () => {
  assert.equal(await handshake('TLSv1.3'), 'TLSv1.3');
  assert.equal(await handshake('TLSv1.2'), 'TLSv1.2');
  await assert.rejects(handshake('TLSv1.1'));
});

test('a second service on the same socket or port is refused with the reason', async () => {
  await assert.rejects(make().start(), /running already/);
  const other = make(path.join(directory, 'second.sock'), listeners.port);
  await assert.rejects(
    other.start(),
    (error: { details?: { errno?: string } }) => error.details?.errno === 'EADDRINUSE',
  );
  await other.close();
});

test('close() lets a running answer end and cuts what stays open; it may be called twice', async () => {
  const own = path.join(directory, 'own.sock');
  const some = new Listeners({ app, local, certificate, host: '127.0.0.1', port: 0, adminSocket: own, graceMs: 50 });
  await some.start();
  const idle = tls.connect({ port: some.port, host: '127.0.0.1', ca: certificate.certificate });
  await once(idle, 'secureConnect');
  const cut = once(idle, 'close');
  await Promise.all([some.close(), some.close()]);
  await cut;
});

test('the socket file that a killed service left is replaced', async (t) => {
  const left = path.join(directory, 'left.sock');
  // A listener in a process that is killed: Node itself would remove the file of one that is closed.
  const script = `require('net').createServer().listen(${JSON.stringify(left)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', script]), 'exit');
  assert.ok((await stat(left)).isSocket());
  const some = make(left);
  t.after(() => some.close());
  await some.start();
  assert.equal((await get(http.request({ socketPath: left, path: '/api/v1/volumes', agent: false }))).status, 200);
});

test('another address while it runs: who is being answered stays, the former one refuses, a taken one changes nothing', async (context) => {
  const moving = make(path.join(directory, 'moving.sock'));
  await moving.start();
  context.after(() => moving.close());
  const former = moving.port;
  const ask = (port: number, host = '127.0.0.1') =>
    get(https.request(`https://${host}:${port}/api/v1/health`, { rejectUnauthorized: false, agent: false }));
  const slow = tls.connect({ port: former, host: '127.0.0.1', ca: certificate.certificate });
  await once(slow, 'secureConnect');
  slow.write('GET /api/v1/health HTTP/1.1\r\nhost: localhost\r\n');
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as net.AddressInfo;
  await assert.rejects(moving.move({ host: '127.0.0.1', port }), { code: 'config-invalid' });
  assert.equal((await ask(former)).status, 200);
  taken.close();
  await once(taken, 'close');
  await moving.move({ host: '127.0.0.1', port });
  assert.notEqual(moving.port, former);
  assert.equal((await ask(moving.port)).status, 200);
  await assert.rejects(ask(former), { code: 'ECONNREFUSED' });
  slow.write('connection: close\r\n\r\n');
  assert.match(await text(slow), /^HTTP\/1.1 200 /);

  // The same port of another address: the former one must be let go first, and is there again where that fails.
  const own = moving.port;
  await assert.rejects(moving.move({ host: '192.0.2.1', port: own }), { code: 'config-invalid' });
  assert.equal((await ask(own)).status, 200);
  await moving.move({ host: '127.0.0.2', port: own });
  assert.equal((await ask(own, '127.0.0.2')).status, 200);
  await assert.rejects(ask(own), { code: 'ECONNREFUSED' });
});
