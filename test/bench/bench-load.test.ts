/** The load of the ingest bench: it sends what it should when it should, and notices a recorder that does not keep up. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeCertificate } from '../../src/tls/certificate.ts';
import { startLoad } from './ingest-load.ts';

const chunk = 32_768;
/** Four chunks: it must begin again. */
const clip = Buffer.from(Array.from({ length: chunk * 4 + 100 }, (_, at) => (at * 7 + (at >> 8)) % 251));

describe('the load of live streams', { timeout: 60_000 }, () => {
  let folder: string;
  let file: string;
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'rv-load-'));
    file = path.join(folder, 'clip');
    await writeFile(file, clip);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const serve = async (handle: http.RequestListener, pair?: { readonly key: string; readonly certificate: string }) => {
    // Without TLS 1.3 no session tickets come, whose reading would hide what another connection left in OpenSSL's queue of errors.
    const server =
      pair === undefined
        ? http.createServer(handle)
        : https.createServer({ key: pair.key, cert: pair.certificate, maxVersion: 'TLSv1.2' }, handle);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const kind = pair === undefined ? 'tcp' : 'tls';
    return {
      target: (name: string) => `PUT ${kind}:127.0.0.1:${port} /ingest/${name}`,
      [Symbol.asyncDispose]: async () => {
        server.closeAllConnections();
        server.close();
      },
    };
  };

  test('each stream comes whole, at its pace, and the report says so', async () => {
    const bodies = new Map<string, Buffer>();
    await using server = await serve(async (request, response) => {
      bodies.set(String(request.url), Buffer.concat(await Array.fromAsync(request)));
      response.end('{}');
    });
    const began = performance.now();
    await using load = await startLoad(file, 2, [server.target('a'), server.target('b')]);
    const report = await load.report;
    // The second of two begins two seconds later, and each lasts two.
    assert.ok(performance.now() - began > 3_800);
    // 4 Mbit/s for two seconds, in whole chunks.
    const chunks = Math.floor(1_000_000 / chunk);
    const expected = Buffer.concat(
      Array.from({ length: chunks }, (_, at) => clip.subarray((at % 4) * chunk, ((at % 4) + 1) * chunk)),
    );
    for (const name of ['a', 'b']) assert.ok(bodies.get(`/ingest/${name}`)?.equals(expected), name);
    const { streams, sentBytes, dropped, broken, succeeded } = report;
    const wanted = { streams: 2, sentBytes: 2 * chunks * chunk, dropped: 0, broken: 0, succeeded: 2 };
    assert.deepEqual({ streams, sentBytes, dropped, broken, succeeded }, wanted);
  });

  test('a recorder that reads too late, refuses, or closes is told', async () => {
    await using server = await serve((request, response) => {
      if (request.url === '/ingest/closed') return void request.socket.destroy();
      if (request.url === '/ingest/refused') {
        request.resume().once('end', () => response.writeHead(409).end('{"code":"stream-busy"}'));
        return;
      }
      setTimeout(() => request.resume().once('end', () => response.end()), 5_000);
    });
    const targets = ['late', 'closed', 'refused'].map((name) => server.target(name));
    await using load = await startLoad(file, 8, targets);
    const report = await load.report;
    assert.ok(report.dropped > 0, JSON.stringify(report));
    assert.ok(report.latestMs > 1_000, JSON.stringify(report));
    assert.equal(report.broken, 1);
    assert.equal(report.succeeded, 1);
    assert.match(report.failure, /409/);
  });

  test('over TLS a recorder that closes one stream is told of that one only', async () => {
    await using server = await serve(
      (request, response) => {
        if (request.url === '/ingest/closed') return void request.socket.destroy();
        request.resume().once('end', () => setTimeout(() => response.end(), 1_000));
      },
      await makeCertificate('localhost', Date.now()),
    );
    const targets = ['closed', 'well', 'well'].map((name) => server.target(name));
    await using load = await startLoad(file, 2, targets);
    const { broken, succeeded, failure } = await load.report;
    assert.deepEqual({ broken, succeeded, failure }, { broken: 1, succeeded: 2, failure: '' });
  });
});
