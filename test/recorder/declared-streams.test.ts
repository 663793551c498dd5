/** Which streams stay, and what is told of them. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { streamsPart } from '../../src/daemon/streams-part.ts';
import { ReelError, toReelError } from '../../src/errors.ts';
import type { StreamsPart } from '../../src/http/streams.ts';
import { clip } from '../ingest/clip.ts';
import { Host } from '../ingest/host.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-declared-'));
let host: Host;
let streams: StreamsPart;
before(async () => {
  host = await Host.start({ directory });
  streams = streamsPart({ recorder: host.recorder, volumes: () => ['main', 'spare'] });
});
after(async () => {
  await host.stop();
  rmSync(directory, { recursive: true, force: true });
});

const is = (code: string) => (error: unknown) => error instanceof ReelError && error.code === code;
const names = async (): Promise<string[]> => (await streams.list()).map(({ name }) => name);
const onDisk = (): string => readFileSync(path.join(directory, 'streams.json'), 'utf8');

/** Publishes; the code of the refusal, or what it came to. */
const publish = async (stream: string, bytes: Buffer): Promise<string> => {
  try {
    const session = await host.recorder.openSession(stream, '192.0.2.7:1');
    session.append(bytes);
    return `${(await session.finish()).bytes} bytes`;
  } catch (error) {
    return toReelError(error).code;
  }
};
const zeros = Buffer.alloc(1024 * 1024);

test('a stream that only a refused publisher has named does not stay, however it was refused', async () => {
  const { bytes } = await clip(4);
  assert.equal(await publish('spam', zeros), 'not-mpegts');
  assert.equal(await publish('silent', Buffer.alloc(0)), '0 bytes');
  // A directory where its marker should be: the session cannot be opened.
  host.jail.mkdirp('.reelvault/open/stuck');
  assert.notEqual(await publish('stuck', bytes), `${bytes.length} bytes`);
  assert.deepEqual(await names(), []);
  assert.deepEqual(JSON.parse(onDisk()), { streams: [] });
  assert.equal(await publish('spam', bytes), `${bytes.length} bytes`);
  assert.deepEqual(await names(), ['spam']);
  assert.match(onDisk(), /"spam"/);
  assert.equal(await publish('spam', zeros), 'not-mpegts');
  assert.deepEqual(await names(), ['spam'], 'there is a recording of it');
});

test('a stream that was declared stays: before the publisher, or while he was sending', async () => {
  await streams.put('declared', {});
  assert.equal(await publish('declared', zeros), 'not-mpegts');
  const session = await host.recorder.openSession('meanwhile', 'x');
  await streams.put('meanwhile', { evidence: true });
  await session.finish();
  assert.ok((await names()).includes('declared') && (await names()).includes('meanwhile'));
});

test('the last error and the counters, of the session and after it', async () => {
  const { bytes } = await clip(4);
  await streams.put('told', {});
  assert.deepEqual([(await streams.get('told')).session, (await streams.get('told')).failure], [null, null]);
  const session = await host.recorder.openSession('told', '192.0.2.7:1');
  session.append(Buffer.concat([bytes, Buffer.alloc(1000, 1)]));
  const running = (await streams.get('told')).session;
  assert.equal(running?.counters.packets, bytes.length / 188);
  assert.equal(running?.endedAt, null);
  await session.finish();
  const ended = await streams.get('told');
  assert.equal(ended.session?.counters.packets, bytes.length / 188);
  assert.ok((ended.session?.segments ?? 0) >= 4);
  assert.ok((ended.session?.endedAt ?? 0) >= (ended.session?.since ?? Number.POSITIVE_INFINITY));
  assert.equal(ended.failure, null);

  assert.equal(await publish('told', zeros), 'not-mpegts');
  assert.equal((await streams.get('told')).failure.code, 'not-mpegts');
  await streams.put('told', { volume: 'spare' });
  assert.equal(await publish('told', bytes), 'volume-state');
  assert.equal((await streams.get('told')).failure.code, 'volume-state', 'a refusal counts as well');
  await streams.put('told', { volume: 'main' });
  await publish('told', bytes);
  assert.equal((await streams.get('told')).failure, null);
});

test('a volume that there is not is refused, with those that there are', async () => {
  for (const change of [{ volume: 'mian' }, { volume: 'mian', evidence: true }])
    await assert.rejects(streams.put('lost', change), (error) => {
      assert.ok(is('not-found')(error));
      assert.deepEqual((error as ReelError).details.volumes, ['main', 'spare']);
      return true;
    });
  assert.equal((await names()).includes('lost'), false);
  const none = streamsPart({ recorder: host.recorder, volumes: () => [] });
  await assert.rejects(none.put('lost', {}), is('not-found'), 'the default one is none either');
});

test('delete forgets the settings, says what stays, and what stays can be played', async () => {
  const { bytes } = await clip(4);
  await publish('gone', bytes);
  const session = await host.recorder.openSession('gone', 'x');
  await assert.rejects(streams.delete('gone'), is('stream-busy'));
  await session.finish();
  assert.deepEqual(await streams.delete('gone'), { name: 'gone', volume: 'main', recordings: 'kept' });
  await assert.rejects(streams.get('gone'), is('not-found'));
  await assert.rejects(streams.delete('gone'), is('not-found'));
  assert.ok(host.recorded('gone').equals(bytes));
  assert.equal((await fetch(host.url('/gone/index.m3u8'))).status, 200);
  assert.equal(onDisk().includes('gone'), false);
  await streams.put('gone', {});
  assert.equal((await streams.get('gone')).session, null, 'another stream of the same name');

  await streams.put('empty', {});
  assert.equal((await streams.delete('empty')).recordings, 'none');
  await streams.put('away', { volume: 'spare' });
  assert.equal((await streams.delete('away')).recordings, 'unknown');
});

test('a registry that cannot be written refuses a new stream, and an old one records', async () => {
  const { bytes } = await clip(4);
  await streams.put('old', {});
  const blocked = path.join(directory, 'streams.json.new');
  mkdirSync(blocked);
  try {
    await assert.rejects(host.recorder.openSession('new', 'x'));
    assert.equal(host.recorder.isRecording('new'), false);
    assert.equal(await publish('old', bytes), `${bytes.length} bytes`);
  } finally {
    rmdirSync(blocked);
  }
  assert.equal((await names()).includes('new'), false);
});
