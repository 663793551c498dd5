/** The parts of the webhook that need no receiver. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ReelError } from '../../../src/errors.ts';
import type { ServiceEvent } from '../../../src/events/bus.ts';
import { EventQueue } from '../../../src/events/webhook/queue.ts';
import { parseSecrets, sign } from '../../../src/events/webhook/signature.ts';
import { askedMs, pauseMs, verdictOf } from '../../../src/events/webhook/verdict.ts';

const event = (number: number, facts: object = {}): ServiceEvent => ({
  id: `r-${number}`,
  time: '2026-11-21T14:03:07.120Z',
  ...{ type: 'volume.state', volume: 'main', stream: null, facts: { ...facts } },
});

test('a signature is the one that other programs of the standard make', () => {
  // From the examples of the specification's own libraries.
  const keys = parseSecrets(Buffer.from('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n'));
  assert.equal(
    sign(keys, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}'),
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  );
});

test('secrets: their bytes, one a line, at most two, each with its signature', () => {
  const [old, fresh] = ['0123456789abcdef', 'f'.repeat(64)];
  const right = (secret: string) => `v1,${createHmac('sha256', secret).update('i.7.b').digest('base64')}`;
  for (const end of ['', '\n', '\r\n']) {
    assert.equal(sign(parseSecrets(Buffer.from(`${fresh}${end}`)), 'i', 7, 'b'), right(fresh));
  }
  assert.equal(sign(parseSecrets(Buffer.from(`${fresh}\n${old}\n`)), 'i', 7, 'b'), `${right(fresh)} ${right(old)}`);
  const bad = ['', '\n', 'marked-short', 'x'.repeat(513), 'whsec_marked', `whsec_${'!marked*'.repeat(5)}`];
  for (const text of [...bad, `${old}\n`.repeat(3)]) {
    assert.throws(
      () => parseSecrets(Buffer.from(text)),
      (error: ReelError) => error.code === 'config-invalid' && !error.message.includes('marked'),
      text,
    );
  }
});

test('the file’s bytes are left to the caller', () => {
  const file = Buffer.from('0123456789abcdef\n');
  parseSecrets(file);
  assert.equal(file.toString(), '0123456789abcdef\n');
});

test('the queue keeps the newest within count and bytes, in order, and knows what it lost before each', () => {
  const bounds = { maxEvents: 20, maxBytes: 3000 };
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant('take'), fc.nat(2000)), { maxLength: 200 }), (steps) => {
      const queue = new EventQueue(bounds);
      let pushed = 0;
      let told = 0;
      const seen: { number: number; missed: number }[] = [];
      const take = (): boolean => {
        const waiting = queue.take();
        if (waiting !== undefined) seen.push({ number: Number(waiting.event.id.slice(2)), missed: waiting.missed });
        return waiting !== undefined;
      };
      for (const step of steps) {
        if (step === 'take') take();
        else told += queue.push(event(++pushed, { text: 'x'.repeat(Number(step)) }));
        assert.ok(queue.size <= bounds.maxEvents && (queue.bytes <= bounds.maxBytes || queue.size === 1));
      }
      while (take());
      assert.equal(queue.bytes, 0);
      let last = 0;
      for (const { number, missed } of seen) {
        assert.equal(number - last - 1, missed);
        last = number;
      }
      assert.equal(last, pushed);
      assert.equal(pushed - seen.length, told);
    }),
  );
});

test('what was given up is missed before the next one, also one that comes later', () => {
  const queue = new EventQueue({ maxEvents: 10, maxBytes: 10_000 });
  queue.push(event(1));
  queue.take();
  queue.miss(1);
  queue.push(event(2));
  queue.push(event(3));
  queue.miss(2);
  assert.deepEqual([queue.take()?.missed, queue.take()?.missed], [3, 0]);
});

test('which answers are final', () => {
  const verdicts: Record<string, number[]> = {
    taken: [200, 201, 202, 204, 299],
    away: [408, 425, 429, 502, 503, 504],
    failed: [500, 501, 507, 599],
    refused: [300, 301, 302, 307, 308, 400, 401, 403, 404, 410, 413, 422],
  };
  for (const [verdict, statuses] of Object.entries(verdicts)) {
    for (const status of statuses) assert.equal(verdictOf(status), verdict, `${status}`);
  }
});

test('pauses double up to the longest, spread over their upper half, and honour what the receiver asks for, within a bound', () => {
  const backoff = { firstMs: 1000, longestMs: 60_000, longestAskedMs: 900_000 };
  const pauses = [1, 2, 3, 6, 7, 20, 2000].map((attempt) => pauseMs(backoff, attempt, 1));
  assert.deepEqual(pauses, [1000, 2000, 4000, 32_000, 60_000, 60_000, 60_000]);
  assert.equal(pauseMs(backoff, 3, 0), 2000);
  assert.equal(pauseMs(backoff, 1, 0, 120_000), 120_000);
  assert.equal(pauseMs(backoff, 1, 0, 86_400_000), 900_000);
  assert.equal(pauseMs(backoff, 7, 1, 1), 60_000);
  const now = Date.parse('2026-11-21T14:03:00Z');
  assert.equal(askedMs('120', now), 120_000);
  assert.equal(askedMs('Sat, 21 Nov 2026 14:04:00 GMT', now), 60_000);
  assert.equal(askedMs('Sat, 21 Nov 2026 14:00:00 GMT', now), 0);
  for (const none of [undefined, '', 'soon', '-5', '1e9']) assert.equal(askedMs(none, now), undefined, none);
});
