/** Connections whose body native code reads: which they are, that nothing of a body is lost or added, and that all others are Node's as ever. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { directConnectionOf } from '../../src/ingest/direct-connection.ts';
import { forPublishers } from '../../src/ingest/publisher-server.ts';
import { clip } from './clip.ts';
import { Host, until } from './host.ts';

let host: Host;
/** Of each request since the test began, whether native code reads its body. */
let direct: boolean[] = [];
before(async () => {
  host = await Host.start();
  host.app.server.on('request', (request: http.IncomingMessage) =>
    direct.push(directConnectionOf(request) !== undefined),
  );
});
after(() => host.stop());
beforeEach(() => {
  direct = [];
});

const connect = async (): Promise<net.Socket> => {
  const socket = net.connect({ host: '127.0.0.1', port: host.port });
  await once(socket, 'connect');
  socket.on('error', () => {});
  return socket;
};

/** All that comes back until the connection is closed. */
const answer = async (socket: net.Socket): Promise<string> =>
  Buffer.concat((await socket.toArray()) as Buffer[]).toString();

const head = (stream: string, more = 'Transfer-Encoding: chunked\r\n'): string =>
  `PUT /ingest/${stream} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
const chunk = (bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
const lastChunk = '0\r\nTrailer: x\r\n\r\n';

test('streams side by side, in chunks and writes of any size: each reel is what was sent', async () => {
  const { bytes } = await clip(4);
  const run = { numRuns: 10, endOnFailure: true };
  let turn = 0;
  const sizes = fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(sizes, sizes, fc.boolean(), async (chunkSizes, writeSizes, paced) => {
      turn += 1;
      await Promise.all(
        [0, 1, 2].map(async (one) => {
          const stream = `sized-${turn}-${one}`;
          const parts: Buffer[] = [];
          for (let at = 0, nth = one; at < bytes.length; nth += 1) {
            const size = chunkSizes[nth % chunkSizes.length] ?? 1;
            parts.push(chunk(bytes.subarray(at, at + size)));
            at += size;
          }
          const body = Buffer.concat([...parts, Buffer.from(lastChunk)]);
          const socket = await connect();
          const answered = answer(socket);
          socket.write(head(stream));
          for (let at = 0, nth = one; at < body.length; nth += 1) {
            const size = writeSizes[nth % writeSizes.length] ?? 1;
            if (!socket.write(body.subarray(at, at + size))) await once(socket, 'drain');
            if (paced && nth % 20 === 0) await sleep(2);
            at += size;
          }
          assert.match(await answered, /^HTTP\/1\.1 200 /);
          assert.ok(host.recorded(stream).equals(bytes), stream);
        }),
      );
    }),
    run,
  );
  assert.equal(direct.length, 3 * turn);
  assert.ok(direct.every(Boolean));
});

for (const [title, text] of [
  ['a length', 'Content-Length: 376\r\n'],
  ['a length beside chunks', 'Transfer-Encoding: chunked\r\nContent-Length: 376\r\n'],
  ['two codings', 'Transfer-Encoding: gzip, chunked\r\n'],
  ['chunks said twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'],
  ['a line that goes on', 'Transfer-Encoding: chunked\r\nX: a\r\n b\r\n'],
  ['a line feed alone', 'Transfer-Encoding: chunked\r\nX: a\nContent-Length: 5\r\n'],
  ['an upgrade', 'Transfer-Encoding: chunked\r\nConnection: upgrade\r\nUpgrade: websocket\r\n'],
] as const)
  test(`a body with ${title} is Node's`, async () => {
    const socket = await connect();
    socket.write(head('framed', text));
    await until('an answer or a request', () => direct.length > 0 || socket.destroyed || socket.readableLength > 0);
    socket.destroy();
    assert.equal(direct.includes(true), false);
  });

test('requests that publish nothing are answered one after the other on their connection', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (const url of ['/none/index.m3u8', '/ingest/', '/elsewhere', '/ingest/a/b']) {
    const request = http.request(host.url(url), { agent, method: 'PUT' });
    request.end('some bytes');
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    await response.resume().toArray();
    assert.ok((response.statusCode ?? 0) >= 400, url);
  }
  agent.destroy();
  assert.deepEqual(direct, [false, false, false, false]);
});

test('a head that comes in two pieces, and one after a silence, are served', async () => {
  const { bytes } = await clip(4);
  for (const pause of [20, 1200]) {
    const stream = `late-${pause}`;
    const socket = await connect();
    if (pause > 1000) await sleep(pause);
    socket.write(head(stream).slice(0, 12));
    await sleep(20);
    socket.write(head(stream).slice(12));
    socket.write(chunk(bytes));
    socket.write(lastChunk);
    await once(socket, 'data');
    socket.destroy();
    assert.ok(host.recorded(stream).equals(bytes));
  }
});

test('what is no chunk is refused, and what came before it is kept', async () => {
  const { bytes } = await clip(4);
  const socket = await connect();
  const answered = answer(socket);
  socket.write(head('spoilt'));
  socket.write(chunk(bytes));
  socket.write('no chunk\r\n');
  assert.match(await answered, /^HTTP\/1\.1 400 /);
  assert.deepEqual(direct, [true]);
  await until('the end of it', async () => !(await host.recorder.get('spoilt')).recording);
  assert.ok(host.recorded('spoilt').equals(bytes));
});

test('a publisher that asks first is told to go on', async () => {
  const { bytes } = await clip(4);
  const socket = await connect();
  socket.write(head('asking', 'Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n'));
  const [go] = (await once(socket, 'data')) as [Buffer];
  assert.match(go.toString(), /^HTTP\/1\.1 100 /);
  const answered = answer(socket);
  socket.write(chunk(bytes));
  socket.write(lastChunk);
  assert.match(await answered, /^HTTP\/1\.1 200 .*connection: close/is);
  assert.deepEqual(direct, [true]);
});

test('a second request behind a body is not read', async () => {
  const { bytes } = await clip(4);
  const socket = await connect();
  const answered = answer(socket);
  socket.write(head('followed'));
  socket.write(chunk(bytes));
  socket.write(`0\r\n\r\n${head('smuggled')}`);
  assert.equal((await answered).match(/HTTP\/1\.1 /g)?.length, 1);
  assert.deepEqual(direct, [true]);
  assert.equal(
    (await host.recorder.list()).some(({ name }) => name === 'smuggled'),
    false,
  );
});

test('a server that ends does not wait for connections that say nothing', async () => {
  const server = forPublishers(http.createServer());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  await sleep(50);
  const from = performance.now();
  server.close();
  await once(server, 'close');
  assert.ok(performance.now() - from < 2000);
  socket.destroy();
});

test('curl, which waits until its unix socket can be written, is not held to what a rest of the reader lets through', async (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-direct-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const [at, file] = [path.join(directory, 'socket'), path.join(directory, 'file')];
  writeFileSync(file, Buffer.alloc(20_000_000));
  let received = 0;
  const server = forPublishers(
    http.createServer((request, response) => {
      const onBytes = ({ length }: Buffer): void => {
        received += length;
      };
      directConnectionOf(request)?.body.listen({ onBytes, onEnd: () => response.end() });
    }),
  );
  server.listen(at);
  t.after(() => server.close());
  await once(server, 'listening');
  const upload = [
    '-sf',
    '--unix-socket',
    at,
    '-H',
    'Transfer-Encoding: chunked',
    '-T',
    file,
    'http://x/ingest/waiting',
  ];
  const from = performance.now();
  await promisify(execFile)('curl', upload);
  assert.equal(received, 20_000_000);
  // 53,248 bytes each 40 ms would take 15 s.
  assert.ok(performance.now() - from < 7500, `${performance.now() - from} ms`);
});
