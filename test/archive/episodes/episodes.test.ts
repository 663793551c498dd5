/** Episodes in the volume, and the list of another system. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { fetchEpisodes } from '../../../src/archive/episodes/external.ts';
import { EpisodeStore } from '../../../src/archive/episodes/store.ts';
import { webhookAddress } from '../../../src/config/webhook-address.ts';
import { TemporaryVolume } from '../fixtures.ts';

let volume: TemporaryVolume;
let now = Date.UTC(2026, 10, 21);
const servers: Server[] = [];

beforeEach(() => {
  volume = new TemporaryVolume();
  fs.mkdirSync(path.join(volume.root, '.reelvault'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  await volume.remove();
});

const make = (): EpisodeStore => new EpisodeStore({ files: volume.files, now: () => now });
const soft = { mustExist: false };
const wanted = { stream: 'cam', from: 100, to: 200, expiresAt: null, note: 'final' };

test('an episode is in the volume, for whoever opens it next', async () => {
  assert.deepEqual(await make().list(soft), []);
  const added = await make().put(wanted, false);
  assert.deepEqual(await make().list({ mustExist: true }), [added]);
  assert.deepEqual(await make().remove(added.id), added);
  assert.equal(await make().remove(added.id), undefined);
  assert.deepEqual(await make().list(soft), []);
});

test('the same again is its own answer; another of that id only replaces it when told to', async () => {
  const first = await make().put({ ...wanted, id: 'a' }, false);
  assert.deepEqual(await make().put({ ...wanted, id: 'a' }, false), first);
  const other = { ...wanted, id: 'a', to: 300 };
  await assert.rejects(make().put(other, false), { code: 'already-exists' });
  assert.deepEqual(await make().list(soft), [first]);
  await make().put(other, true);
  assert.deepEqual(await make().list(soft), [other]);
});

test('what protects nothing is refused', async () => {
  await assert.rejects(make().put({ ...wanted, to: 100 }, false), { code: 'invalid-argument' });
  await assert.rejects(make().put({ ...wanted, expiresAt: now / 1000 }, false), { code: 'invalid-argument' });
});

test('an expired episode is remembered for a month, in case the clock was wrong', async () => {
  const old = await make().put({ ...wanted, id: 'old', expiresAt: now / 1000 + 60 }, false);
  now += 29 * 86_400_000;
  const next = await make().put({ ...wanted, id: 'next' }, false);
  assert.deepEqual(await make().list(soft), [old, next]);
  now += 2 * 86_400_000;
  await make().put({ ...wanted, id: 'third' }, false);
  assert.deepEqual(
    (await make().list(soft)).map(({ id }) => id),
    ['next', 'third'],
  );
});

test('any bytes in the file are a list or a refusal, never an empty list by mistake', async () => {
  const file = '.reelvault/episodes.json';
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
      volume.write(file, text);
      await assert.rejects(make().list(soft), { code: 'episodes-unavailable' });
    }),
    { numRuns: 200 },
  );
});

const serve = async (answer: RequestListener): Promise<ReturnType<typeof webhookAddress>> => {
  const server = createServer(answer).listen(0, '127.0.0.1');
  servers.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return webhookAddress(`http://admin:marked-secret@127.0.0.1:${port}/list?key=marked-secret`, 'test');
};

test('the list of another system is taken with what else it says', async () => {
  let authorization: string | undefined;
  const address = await serve((request, response) => {
    authorization = request.headers.authorization;
    response.end(JSON.stringify({ next: null, episodes: [{ id: 7, title: 'x', stream: 'cam', from: 1, to: 2.5 }] }));
  });
  assert.deepEqual(await fetchEpisodes(address), [{ stream: 'cam', fromUs: 1e6, toUs: 2.5e6, kind: 'episode' }]);
  assert.equal(authorization, `Basic ${Buffer.from('admin:marked-secret').toString('base64')}`);
});

test('anything else than a whole list is no list, and no secret of its address is told', async () => {
  const bad: RequestListener[] = [
    (_, response) => response.writeHead(500).end('{"episodes":[]}'),
    (_, response) => response.writeHead(204).end(),
    (_, response) => response.writeHead(302, { location: '/other' }).end(),
    (_, response) => response.end('not json'),
    (_, response) => response.end('{}'),
    (_, response) => response.end('{"episodes":[{"stream":"cam","from":1}]}'),
    (_, response) => response.end('{"episodes":[{"stream":"../x","from":1,"to":2}]}'),
    (_, response) => response.writeHead(200, { 'content-length': 100 }).end('{"episodes":[]}'),
    (request) => request.socket.destroy(),
  ];
  for (const answer of bad) {
    const error: Error = await fetchEpisodes(await serve(answer)).then(
      () => assert.fail(String(answer)),
      (thrown: Error) => thrown,
    );
    assert.equal((error as Error & { code: string }).code, 'episodes-unavailable', String(answer));
    assert.doesNotMatch(JSON.stringify(error), /marked-secret/);
  }
});

test('a list that does not end is not read for ever', async () => {
  const address = await serve((_, response) => {
    const more = (): void =>
      void (response.write(' '.repeat(1024 * 1024)) ? setImmediate(more) : response.once('drain', more));
    more();
  });
  await assert.rejects(fetchEpisodes(address), { code: 'episodes-unavailable' });
});
