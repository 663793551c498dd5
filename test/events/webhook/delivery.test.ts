/** The webhook against real receivers that are down, slow, broken or hostile. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { EventBus, type ServiceEvent } from '../../../src/events/bus.ts';
import { Webhook, type WebhookParams } from '../../../src/events/webhook/webhook.ts';
import { makeCertificate } from '../../../src/tls/certificate.ts';
import { Receiver } from './receiver.ts';

const secret = 'marked-secret-0123456789';
const quick = { firstMs: 5, longestMs: 20, longestAskedMs: 400, timeoutMs: 5000 };

/** A bus with a webhook for these URLs, what the bus told and what the log has. */
const setup = (urls: readonly string[], changes: Partial<WebhookParams> = {}) => {
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
  const bus = new EventBus({ now: Date.now, log });
  const told: ServiceEvent[] = [];
  bus.subscribe({ onEvent: (event) => void told.push(event) });
  const secrets = Buffer.from(secret);
  const { limits, ...others } = changes;
  const webhook = new Webhook({
    ...{ urls, secrets, bus, log, types: [], ca: null, userAgent: 'reelvault/test', now: Date.now },
    ...others,
    limits: { ...quick, ...limits },
  });
  secrets.fill(0);
  webhook.start();
  const publish = (count: number, type = 'volume.state'): void => {
    for (let number = 1; number <= count; number += 1) bus.publish({ type, volume: 'main', facts: { number } });
  };
  /** What it told of itself. */
  const own = () => told.filter(({ type }) => type.startsWith('webhook.')).map(({ type, facts }) => ({ type, facts }));
  const status = () => webhook.status()[0] ?? assert.fail();
  return { bus, webhook, told, lines, publish, own, status };
};

const numbers = (receiver: Receiver): unknown[] => receiver.posted.map(({ facts }) => facts.number);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
/** Resolves once this holds; each wait is ended by what the test itself causes. */
const until = async (holds: () => boolean): Promise<void> => {
  for (const deadline = performance.now() + 30_000; !holds(); await sleep(2)) {
    assert.ok(performance.now() < deadline, `still not so: ${holds}`);
  }
};

describe('webhook', { timeout: 120_000 }, () => {
  const receivers: Receiver[] = [];
  const hooks: Webhook[] = [];
  const receiver = async (...args: [tls?: object]): Promise<Receiver> => {
    const made = new Receiver(secret, ...args);
    receivers.push(made);
    return made.start();
  };
  const hook = (urls: readonly string[], changes: Partial<WebhookParams> = {}) => {
    const made = setup(urls, changes);
    hooks.push(made.webhook);
    return made;
  };
  after(async () => {
    for (const one of hooks) await one.close(0);
    for (const one of receivers) await one.stop();
  });

  test('other receivers while it runs: one that stays keeps what waits for it, one that goes gets what was on its way', async () => {
    const [stays, goes, comes] = [await receiver(), await receiver(), await receiver()];
    const { publish, webhook } = hook([stays.url, goes.url]);
    stays.answer = () => 503;
    publish(3);
    await goes.until(() => goes.posted.length === 3);
    assert.throws(() => webhook.change({ urls: ['ftp://a/'], types: [] }), { code: 'config-invalid' });
    webhook.change({ urls: [stays.url, comes.url], types: ['volume.*'] });
    stays.answer = () => 204;
    publish(1, 'stream.started');
    publish(2, 'volume.paused');
    await comes.until(() => comes.posted.length === 2);
    assert.deepEqual(comes.types, ['volume.paused', 'volume.paused']);
    const whole = () => new Set(stays.posted.map(({ id }) => id)).size === 5;
    await stays.until(whole);
    assert.equal(goes.posted.length, 3);
    assert.equal(webhook.status().length, 2);
  });

  test('events come signed, with their ids, in order, over one connection', async () => {
    const there = await receiver();
    const { publish, told, status, own } = hook([`${there.url}/path?token=x`]);
    publish(50);
    await there.until(() => there.posted.length === 50);
    assert.deepEqual(numbers(there), upTo(50));
    assert.deepEqual(
      there.posted,
      told.map((event) => ({ ...event, missed: 0 })),
    );
    assert.equal(new Set(there.requests.map(({ socket }) => socket)).size, 1);
    assert.equal(there.requests[0]?.url, '/path?token=x');
    assert.equal(there.requests[0]?.headers['user-agent'], 'reelvault/test');
    await until(() => status().delivered === 50);
    assert.deepEqual([status().state, status().queued, status().queuedBytes, own()], ['delivering', 0, 0, []]);
  });

  test('only the wanted types, to each of several receivers', async () => {
    const [one, two] = [await receiver(), await receiver()];
    const { publish } = hook([one.url, two.url], { types: ['stream.*', 'volume.state'] });
    for (const type of ['volume.paused', 'stream.failed', 'volume.state']) publish(1, type);
    for (const there of [one, two]) {
      await there.until(() => there.posted.length === 2);
      assert.deepEqual(there.types, ['stream.failed', 'volume.state']);
    }
  });

  test('a receiver that is down gets everything once it is up; it is told once that it failed, and once that it is back', async () => {
    const there = await receiver();
    await there.stop();
    const { publish, own, status, lines } = hook([`${there.url}/secret-path?secret-query`]);
    publish(5);
    await until(() => status().failedAttempts >= 4);
    await there.start();
    await there.until(() => there.posted.length === 5);
    assert.deepEqual(numbers(there), upTo(5));
    await until(() => own().length === 2);
    assert.deepEqual(own(), [
      { type: 'webhook.failing', facts: { endpoint: there.url, problem: 'ECONNREFUSED' } },
      { type: 'webhook.recovered', facts: { endpoint: there.url, dropped: 0 } },
    ]);
    assert.equal(lines.filter((line) => line.includes('webhook.')).length, 2);
    assert.doesNotMatch(lines.join(), /secret/);
  });

  test('500 and then 200: the same event once more under the same id, and the next ones after it', async () => {
    const there = await receiver();
    there.answer = () => (there.posted.length <= 2 ? 500 : 200);
    const { publish } = hook([there.url]);
    publish(3);
    await there.until(() => there.posted.length === 5);
    assert.deepEqual(numbers(there), [1, 1, 1, 2, 3]);
    assert.equal(new Set(there.posted.slice(0, 3).map(({ id }) => id)).size, 1);
  });

  test('an event that the receiver fails with each time does not hold up the others for ever', async () => {
    const there = await receiver();
    there.answer = ({ facts }) => (facts.number === 2 ? 500 : 200);
    const { publish, own, status } = hook([there.url], { limits: { mostFailures: 3 } });
    publish(3);
    await there.until(() => numbers(there).includes(3));
    assert.deepEqual(numbers(there), [1, 2, 2, 2, 3]);
    assert.equal(there.posted.at(-1)?.missed, 1);
    await until(() => status().delivered === 2);
    assert.equal(status().dropped.refused, 1);
    await until(() => own().length === 3);
    assert.deepEqual(
      own().map(({ type }) => type),
      ['webhook.failing', 'webhook.dropped', 'webhook.recovered'],
    );
  });

  test('429 with Retry-After: not sooner than asked, and not later than the bound', async () => {
    const there = await receiver();
    const at: number[] = [];
    there.answer = (_posted, response) => {
      at.push(performance.now());
      if (at.length > 2) return 204;
      // The second asks for a day.
      response.setHeader('retry-after', at.length === 1 ? '1' : '86400');
      return 429;
    };
    const { publish } = hook([there.url], { limits: { longestAskedMs: 1300 } });
    publish(1);
    await there.until(() => there.posted.length === 3);
    const [first = 0, second = 0, third = 0] = at;
    assert.ok(second - first >= 990, `${second - first}`);
    assert.ok(third - second >= 1290, `${third - second}`);
  });

  for (const status of [400, 401, 404, 410]) {
    test(`${status} is final: given up, told, and the next event says how many are missing`, async () => {
      const there = await receiver();
      there.answer = ({ facts }) => (Number(facts.number) <= 5 ? status : 204);
      const { publish, own, status: now } = hook([there.url]);
      publish(6);
      await there.until(() => there.posted.length === 6);
      assert.deepEqual(numbers(there), upTo(6));
      assert.equal(there.posted.at(-1)?.missed, 5);
      await until(() => now().delivered === 1);
      assert.equal(now().dropped.refused, 5);
      await until(() => own().length === 5);
      // Each time that it is twice as many.
      assert.deepEqual(own(), [
        { type: 'webhook.failing', facts: { endpoint: there.url, problem: `status ${status}` } },
        ...[1, 2, 4].map((count) => ({
          type: 'webhook.dropped',
          facts: { endpoint: there.url, reason: 'refused', count },
        })),
        { type: 'webhook.recovered', facts: { endpoint: there.url, dropped: 5 } },
      ]);
    });
  }

  test('a redirect is not followed, wherever it leads', async () => {
    const [there, elsewhere] = [await receiver(), await receiver()];
    there.answer = (_posted, response) => {
      response.setHeader('location', elsewhere.url);
      return 307;
    };
    const { publish, status } = hook([there.url]);
    publish(2);
    await there.until(() => there.posted.length === 2);
    await until(() => status().dropped.refused === 2);
    assert.match(status().problem ?? '', /status 307, which is not followed/);
    assert.deepEqual(elsewhere.posted, []);
  });

  test('a receiver that hangs costs its time limit, and nobody else anything', async () => {
    const [hanging, well] = [await receiver(), await receiver()];
    const held: ServerResponse[] = [];
    hanging.answer = (_posted, response) => {
      if (held.length > 0) return 204;
      held.push(response);
      return undefined;
    };
    const { publish, status, own } = hook([hanging.url, well.url], { limits: { timeoutMs: 300 } });
    publish(3);
    await well.until(() => well.posted.length === 3);
    assert.equal(status().delivered, 0);
    await hanging.until(() => hanging.posted.length === 4);
    assert.deepEqual(numbers(hanging), [1, 1, 2, 3]);
    assert.deepEqual(own()[0]?.facts, { endpoint: hanging.url, problem: 'no answer within 0.3 s' });
  });

  test('an answer without an end, and one of many bytes, hold nothing up', async () => {
    const there = await receiver();
    there.answer = (_posted, response) => {
      response.writeHead(200);
      response.write(Buffer.alloc(there.posted.length === 1 ? 10 : 1024 * 1024));
      return undefined;
    };
    const { publish, status } = hook([there.url]);
    publish(3);
    await there.until(() => there.posted.length === 3);
    await until(() => status().delivered === 3);
    assert.equal(status().failedAttempts, 0);
  });

  test('what is no HTTP is a failure like any other', async () => {
    const server = createServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-OpenSSH\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { publish, status } = hook([`http://127.0.0.1:${(server.address() as AddressInfo).port}/`]);
    publish(1);
    await until(() => status().failedAttempts > 1);
    assert.match(status().problem ?? '', /^HPE_/);
    server.close();
  });

  test('overflow: the oldest make room, it is told and counted, and the first that comes says how many are missing', async () => {
    const there = await receiver();
    await there.stop();
    const { publish, own, status, bus } = hook([there.url], { limits: { maxEvents: 10 } });
    const order: number[] = [];
    // One that hears each event after the webhook did.
    bus.subscribe({ onEvent: ({ id }) => void order.push(Number(id.split('-')[1])) });
    publish(1);
    // The first one is on its way and waits no more.
    await until(() => status().failedAttempts > 0);
    publish(1000);
    assert.deepEqual([status().queued, status().dropped.overflow], [10, 990]);
    await there.start();
    await there.until(() => there.posted.length === 11);
    assert.deepEqual(numbers(there), [1, ...Array.from({ length: 10 }, (_, index) => 991 + index)]);
    assert.deepEqual(
      there.posted.slice(0, 3).map(({ missed }) => missed),
      [0, 990, 0],
    );
    await until(() => own().at(-1)?.type === 'webhook.recovered');
    const counts = own().flatMap(({ type, facts }) => (type === 'webhook.dropped' ? [facts.count] : []));
    assert.deepEqual(counts, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
    // Whoever listens hears everything in the order of its ids, although the webhook told something in between.
    assert.deepEqual(order, upTo(order.length));
  });

  test('memory is bounded by bytes, too', async () => {
    const { bus, status } = hook(['http://127.0.0.1:9/'], { limits: { maxBytes: 100_000 } });
    for (let number = 0; number < 200; number += 1) bus.publish({ type: 'x', facts: { text: 'ä'.repeat(3000) } });
    assert.ok(status().queuedBytes <= 100_000 && status().queued > 10, JSON.stringify(status()));
  });

  test('nobody waits: whoever publishes goes on before anything is posted, however the receiver is', async () => {
    const there = await receiver();
    there.answer = () => undefined;
    const { publish, webhook, status } = hook([there.url]);
    publish(10_000);
    assert.deepEqual([status().queued, status().dropped.overflow], [1000, 9000]);
    await there.until(() => there.posted.length === 1);
    assert.equal(there.posted[0]?.missed, 9000);
    await webhook.close(0);
  });

  test('close delivers what waits, at once and without pauses', async () => {
    const there = await receiver();
    await there.stop();
    const { publish, webhook, status } = hook([there.url], { limits: { firstMs: 3_600_000, longestMs: 3_600_000 } });
    publish(20);
    await until(() => status().failedAttempts === 1);
    await there.start();
    await webhook.close(60_000);
    assert.deepEqual(numbers(there), upTo(20));
    publish(1);
    assert.equal(status().queued, 0);
  });

  test('close with a receiver that is down ends with its first refusal, and the log has how many were lost', async () => {
    const there = await receiver();
    await there.stop();
    const { publish, webhook, status, lines } = hook([there.url], { limits: { firstMs: 3_600_000 } });
    publish(20);
    await until(() => status().failedAttempts === 1);
    const late = sleep(30_000, 'late', { ref: false });
    const closed = Promise.all([webhook.close(3_600_000), webhook.close(3_600_000)]);
    assert.notEqual(await Promise.race([closed, late]), 'late');
    assert.deepEqual([status().failedAttempts, status().dropped.closed], [2, 20]);
    assert.match(lines.join(''), /"reason":"closed","count":20/);
  });

  test('close with a receiver that hangs ends when its time is over', async () => {
    const there = await receiver();
    there.answer = () => undefined;
    const { publish, webhook, status } = hook([there.url], { limits: { timeoutMs: 3_600_000 } });
    publish(3);
    await there.until(() => there.posted.length === 1);
    const late = sleep(30_000, 'late', { ref: false });
    assert.notEqual(await Promise.race([webhook.close(50), late]), 'late');
    assert.deepEqual([status().dropped.closed, status().delivered], [3, 0]);
  });

  test('TLS: only receivers that the file of certificates vouches for, whatever the environment says', async () => {
    const [ours, foreign] = [await makeCertificate('localhost', Date.now()), await makeCertificate('x', Date.now())];
    const there = await receiver({ key: ours.key, cert: ours.certificate });
    const wrong = hook([there.url], { ca: foreign.certificate });
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      wrong.publish(1);
      await until(() => wrong.status().failedAttempts > 1);
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    }
    assert.match(wrong.status().problem ?? '', /^(DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/);
    const machine = hook([there.url]);
    machine.publish(1);
    await until(() => machine.status().failedAttempts > 1);
    assert.deepEqual(there.posted, []);
    const right = hook([there.url], { ca: ours.certificate });
    right.publish(2);
    await there.until(() => there.posted.length === 2);
  });

  test('a user in the URL becomes a header, and stands nowhere else', async () => {
    const there = await receiver();
    there.answer = () => 401;
    const { publish, webhook, lines, told, status } = hook([there.url.replace('//', '//marked-user:marked-pass@')]);
    publish(1);
    await there.until(() => there.posted.length === 1);
    const authorization = `Basic ${Buffer.from('marked-user:marked-pass').toString('base64')}`;
    assert.equal(there.requests[0]?.headers.authorization, authorization);
    await until(() => status().dropped.refused === 1);
    const tested = await webhook.test();
    assert.doesNotMatch(JSON.stringify([told, status(), tested, lines]), /marked-/);
  });

  test('a test event goes to each at once, whatever waits, and says what came back', async () => {
    const [well, sick] = [await receiver(), await receiver()];
    sick.answer = () => 503;
    const { webhook, publish, own } = hook([well.url, sick.url, sick.url, 'http://127.0.0.1:1/']);
    publish(5);
    const tested = await webhook.test();
    assert.deepEqual(
      tested.map(({ endpoint, delivered, status, problem }) => ({ endpoint, delivered, status, problem })),
      [
        { endpoint: well.url, delivered: true, status: 204, problem: null },
        { endpoint: sick.url, delivered: false, status: 503, problem: 'status 503' },
        { endpoint: `${sick.url}#2`, delivered: false, status: 503, problem: 'status 503' },
        { endpoint: 'http://127.0.0.1:1', delivered: false, status: null, problem: 'ECONNREFUSED' },
      ],
    );
    assert.equal(well.types.filter((type) => type === 'webhook.test').length, 1);
    assert.equal(own()[0]?.type, 'webhook.test');
  });
});
