/** Bad input and bad times: each is refused with a code, what was expected and what was got, and loses nothing acknowledged. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, afterEach, before, describe, test } from 'node:test';
import { acknowledged, recorded } from './archive.ts';
import { makeClip, Publisher } from './publisher.ts';
import { type ApiError, Service } from './service.ts';

/** The parts of an error that every refusal must have, beside its code. */
const explained = (error: ApiError | undefined, code: string): ApiError => {
  assert.equal(error?.code, code, JSON.stringify(error));
  assert.ok(error?.expected && error.got, `expected words for what was expected and got, got ${JSON.stringify(error)}`);
  return error;
};

describe('refusals', { timeout: 600_000 }, () => {
  const resources = new AsyncDisposableStack();
  let service: Service;
  let clip: string;
  const publishers: Publisher[] = [];

  const publish = async (stream: string): Promise<Publisher> => {
    const publisher = await Publisher.start(service, stream, clip);
    publishers.push(publisher);
    return publisher;
  };
  const state = async (): Promise<string> =>
    ((await service.request('GET', '/api/v1/volumes/main')).json as { state: string }).state;

  before(async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'rv-refusals-'));
    resources.defer(() => rm(folder, { recursive: true, force: true }));
    clip = await makeClip(folder);
    service = await Service.make({ REELVAULT_INGEST_IDLE_MS: '1500' });
    resources.defer(() => service.close());
    const made = await service.cli(['volume', 'create', 'main', '--size', '256M', '--passphrase-file', '-'], 'correct');
    assert.equal(made.exitCode, 0, JSON.stringify(made.error));
  });
  afterEach(async () => {
    for (const publisher of publishers.splice(0)) await publisher.close();
  });
  after(() => resources.disposeAsync());

  /** A publisher of bytes of our own; `end` false leaves the request open. */
  const put = async (stream: string, bytes: Buffer, end: boolean): Promise<{ status: number; error?: ApiError }> => {
    const ticket = (await service.request('POST', `/api/v1/streams/${stream}/tickets`)).json as { path: string };
    const url = new URL(ticket.path, service.url);
    const request = https.request(url, { method: 'PUT', agent: false, rejectUnauthorized: false });
    // The refusal may come while we are still sending; then only the answer counts.
    request.on('error', () => undefined);
    request.write(bytes);
    if (end) request.end();
    const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
    const body = JSON.parse((await buffer(response)).toString('utf8') || '{}') as { error?: ApiError };
    request.destroy();
    return { status: response.statusCode ?? 0, ...body };
  };

  test('a volume that records is not locked, and the answer names the stream', async () => {
    const publisher = await publish('held');
    await recorded(service, 'held', 2);
    const { exitCode, error } = await service.cli(['volume', 'lock', 'main']);
    assert.equal(exitCode, 5);
    assert.match(JSON.stringify(explained(error, 'volume-busy')), /held/);
    assert.equal(await state(), 'open');
    const before = (await recorded(service, 'held', 3)).length;
    await recorded(service, 'held', before + 2);
    assert.equal((await publisher.stop()).stderr, '');
  });

  test('with drain the recording ends, the volume locks, and nothing acknowledged is lost', async () => {
    const publisher = await publish('drained');
    await recorded(service, 'drained', 3);
    const before = await acknowledged(service, 'drained');
    const { exitCode, error } = await service.cli(['volume', 'lock', 'main', '--drain']);
    assert.equal(exitCode, 0, JSON.stringify(error));
    assert.equal(await state(), 'locked');
    await publisher.ended;

    const wrong = await service.cli(['volume', 'open', 'main', '--passphrase-file', '-'], 'incorrect');
    assert.equal(wrong.exitCode, 3);
    explained(wrong.error, 'wrong-key');
    assert.equal(await state(), 'locked');
    const opened = await service.cli(['volume', 'open', 'main', '--passphrase-file', '-'], 'correct');
    assert.equal(opened.exitCode, 0, JSON.stringify(opened.error));
    const now = await acknowledged(service, 'drained');
    for (const [url, sum] of before) assert.equal(now.get(url), sum, url);
  });

  test('a second publisher is refused and the first goes on', async () => {
    const first = await publish('double');
    const count = (await recorded(service, 'double', 2)).length;
    const bytes = (await readFile(clip)).subarray(0, 188 * 500);
    const { status, error } = await put('double', bytes, true);
    assert.equal(status, 409);
    explained(error, 'stream-busy');
    await recorded(service, 'double', count + 2);
    assert.equal((await first.stop()).stderr, '');
  });

  test('a publisher that stalls is let go, and what it sent is kept', async () => {
    const { status, error } = await put('stalled', await readFile(clip), false);
    assert.equal(status, 408);
    explained(error, 'publisher-stalled');
    const urls = await recorded(service, 'stalled', 9);
    assert.ok(urls.length >= 9);
  });

  for (const [what, bytes] of [
    ['zeros', Buffer.alloc(1 << 20)],
    ['text', Buffer.from('this is not a transport stream '.repeat(40_000))],
  ] as const) {
    test(`a stream of ${what} is refused`, async () => {
      const { status, error } = await put('garbage', bytes, true);
      assert.equal(status, 415);
      explained(error, 'not-mpegts');
    });
  }

  test('a stream that starts in the middle of a packet is recorded from its first whole one', async () => {
    const { status, error } = await put('torn', (await readFile(clip)).subarray(100), true);
    assert.equal(status, 200, JSON.stringify(error));
    await recorded(service, 'torn', 8);
  });

  test('a path that leads outside is not served', async () => {
    for (const target of [
      '/..%2f..%2fetc/passwd',
      '/held/..%2f..%2f..%2f.reelvault/volume.json',
      '/%2e%2e/state/admin.json',
    ]) {
      const { status, body } = await service.request('GET', target);
      assert.ok(status >= 400 && status < 500, `${target}: ${status}`);
      assert.ok(!body.includes('root:') && !body.includes('"uuid"') && !body.includes('"salt"'), target);
    }
  });

  test('Ctrl-C twice while recording: the second only says what it waits for, and nothing acknowledged is lost', async () => {
    const publisher = await publish('stopped');
    await recorded(service, 'stopped', 3);
    const before = await acknowledged(service, 'stopped');
    service.signal('SIGINT');
    service.signal('SIGINT');
    assert.equal(await service.ended(), 0);
    await publisher.ended;
    assert.ok(service.events.some(({ event }) => event === 'stopping'));
    assert.ok(service.events.some(({ event }) => event === 'stopped'));
    await service.start();
    const now = await acknowledged(service, 'stopped');
    for (const [url, sum] of before) assert.equal(now.get(url), sum, url);
  });
});
