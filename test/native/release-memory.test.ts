/** What becomes of the memory of a chunk once it is recorded. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { releaseMemory } from '../../src/native/release-memory.ts';

test('a chunk of a plain body has its memory to itself, and it is gone at once', async () => {
  const released: Buffer[] = [];
  const server = http.createServer((request, response) => {
    request.on('data', (bytes: Buffer) => {
      releaseMemory(bytes);
      released.push(bytes);
    });
    request.once('end', () => response.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const request = http.request({ port, method: 'PUT', agent: false });
  request.end(Buffer.alloc(100_000, 7));
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.resume();
  await once(response, 'end');
  server.close();
  assert.ok(released.length > 0);
  for (const bytes of released) assert.equal(bytes.byteLength, 0);
});

test('a chunk that shares its memory keeps it', () => {
  const whole = Buffer.alloc(100_000, 7);
  releaseMemory(whole.subarray(0, 50_000));
  assert.equal(whole.byteLength, 100_000);
  assert.equal(whole[99_999], 7);
});
