/** Events over HTTP: live, resumed, filtered, and clients that do not read. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { signedIn, standIn } from './support.ts';

const { app, bus } = await standIn();
const server = http.createServer((request, response) => app.routing(request, response)).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
after(async () => {
  server.closeAllConnections();
  server.close();
  await app.close();
});

interface Frame {
  id?: string;
  event?: string;
  data?: Record<string, unknown>;
}

/** A client that parses the stream line by line, as browsers do. */
const listen = async (query = '', headers: Record<string, string> = {}) => {
  const request = http.get({
    port,
    path: `/api/v1/events${query}`,
    headers: { ...signedIn, ...headers },
    agent: false,
  });
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
  const lines = createInterface({ input: answer })[Symbol.asyncIterator]();
  let comments = 0;
  const next = async (): Promise<Frame | undefined> => {
    const frame: Frame = {};
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true) return undefined;
      const line = String(value);
      if (line === '' && frame.data !== undefined) return frame;
      if (line.startsWith(':')) comments += 1;
      if (line.startsWith('id: ')) frame.id = line.slice(4);
      if (line.startsWith('event: ')) frame.event = line.slice(7);
      if (line.startsWith('data: ')) frame.data = JSON.parse(line.slice(6)) as Record<string, unknown>;
    }
  };
  return { answer, next, comments: () => comments, close: () => request.destroy() };
};

const recent = async (query: string) => {
  const answer = await app.inject({ url: `/api/v1/events/recent${query}`, headers: signedIn });
  return {
    status: answer.statusCode,
    body: answer.json() as { events: { facts: { n: number } }[]; missed: boolean; lastId: string },
  };
};

/** Until the service has seen that the clients of former tests are gone. */
const nobody = async (): Promise<void> => {
  while (bus.listeners > 0) await sleep(1);
};

test('events arrive as they happen, with their ids; heartbeats in between; the end of the service ends the stream', async () => {
  const client = await listen();
  assert.deepEqual(
    [client.answer.statusCode, client.answer.headers['content-type'], client.answer.headers['cache-control']],
    [200, 'text/event-stream; charset=utf-8', 'no-store'],
  );
  assert.equal((await client.next())?.event, 'events.ready');
  const event = bus.publish({ type: 'volume.state', volume: 'main', facts: { state: 'open', text: 'two\nlines' } });
  assert.deepEqual(await client.next(), { id: event.id, event: 'volume.state', data: event });
  while (client.comments() < 2) {
    bus.publish({ type: 'tick' });
    await client.next();
    await sleep(5);
  }
  client.close();
});

test('filters: by type, prefix of a type, volume and stream', async () => {
  const client = await listen('?type=stream.*&type=volume.state&volume=main');
  await client.next();
  bus.publish({ type: 'volume.state', volume: 'other' });
  bus.publish({ type: 'volume.key.added', volume: 'main' });
  bus.publish({ type: 'stream.started', volume: 'main', stream: 'cam' });
  assert.equal((await client.next())?.event, 'stream.started');
  client.close();
  const one = await app.inject({ url: '/api/v1/events?type=../x', headers: signedIn });
  assert.equal(one.statusCode, 400);
});

test('a client that comes back hears what it missed, once and in order; when it is too late it is told so', async () => {
  const first = await listen();
  await first.next();
  const { id } = bus.publish({ type: 'one', facts: { n: 1 } });
  await first.next();
  first.close();
  bus.publish({ type: 'one', facts: { n: 2 } });
  bus.publish({ type: 'other', facts: { n: 3 } });
  const second = await listen('?type=one', { 'last-event-id': id });
  assert.deepEqual((await second.next())?.data?.facts, { n: 2 });
  const ready = await second.next();
  assert.deepEqual([ready?.event, ready?.id], ['events.ready', bus.lastId]);
  bus.publish({ type: 'one', facts: { n: 4 } });
  assert.deepEqual((await second.next())?.data?.facts, { n: 4 });
  second.close();
  const late = await listen('', { 'last-event-id': 'another-7' });
  assert.equal((await late.next())?.event, 'events.missed');
  late.close();
});

test('a client that does not read is dropped, and costs no more than its bound', async () => {
  await nobody();
  const client = await listen();
  client.answer.pause();
  const facts = { text: 'x'.repeat(8000) };
  let sent = 0;
  // Some megabytes are on the way in the sockets; then the bound holds.
  while (bus.listeners > 0 && sent < 10_000) {
    bus.publish({ type: 'flood', facts });
    sent += 1;
    if (sent % 50 === 0) await sleep(1);
  }
  assert.equal(bus.listeners, 0);
  assert.ok(sent < 10_000, `${sent}`);
  client.close();
});

test('the kept events as JSON', async () => {
  for (const n of [1, 2, 3]) bus.publish({ type: 'kept', facts: { n } });
  const all = await recent('?type=kept');
  assert.deepEqual([all.status, all.body.events.map(({ facts }) => facts.n), all.body.missed], [200, [1, 2, 3], false]);
  assert.equal(all.body.lastId, bus.lastId);
  assert.deepEqual((await recent(`?after=${bus.lastId}`)).body.events, []);
  assert.equal((await recent('?after=x-1')).body.missed, true);
});

test('strangers hear nothing, and listeners are counted', async () => {
  assert.equal((await app.inject({ url: '/api/v1/events' })).statusCode, 401);
  await nobody();
  const clients = [];
  for (;;) {
    const client = await listen();
    clients.push(client);
    if (client.answer.statusCode !== 200) break;
  }
  assert.deepEqual([clients.length, clients.at(-1)?.answer.statusCode], [65, 429]);
  for (const client of clients) client.close();
  await nobody();
  const again = await listen();
  assert.equal(again.answer.statusCode, 200);
  bus.close();
  await again.next();
  assert.equal(await again.next(), undefined);
});
