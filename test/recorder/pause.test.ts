/** A volume that takes no recordings for a while: what came in is durable, publishers are told why, reading goes on. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ReelError } from '../../src/errors.ts';
import { clip } from '../ingest/clip.ts';
import { Host } from '../ingest/host.ts';

let host: Host;
before(async () => {
  host = await Host.start();
});
after(() => host.stop());

const publish = async (stream: string, bytes: Buffer): Promise<{ status: number; body: string }> => {
  const answer = await fetch(host.url(`/ingest/${stream}`), { method: 'PUT', body: new Uint8Array(bytes) });
  return { status: answer.status, body: await answer.text() };
};

const reason = new ReelError('volume-paused', {
  expected: 'the volume main to take recordings',
  got: '10 MiB are free below the sparse container',
  hint: 'free some',
});

test('a pause ends the sessions with all of it durable, and refuses new ones; reading goes on; then it goes on', async () => {
  const { bytes } = await clip(4);
  const session = await host.recorder.openSession('one', 'test');
  session.append(bytes);
  const told: unknown[] = [];
  session.onFailure = (error) => told.push(error);
  await host.recorder.pauseVolume(session.volume, reason);
  assert.deepEqual(told, [reason]);
  await assert.rejects(session.finish(), { code: 'volume-paused' });
  const parts = await Array.fromAsync(host.recorder.archive('one').parts('one', 0, Number.MAX_SAFE_INTEGER));
  const segments = parts.flatMap((part) => part.reel.slice(part.first, part.end));
  assert.equal(
    segments.reduce((sum, segment) => sum + segment.length, 0),
    bytes.length,
  );
  await assert.rejects(host.recorder.openSession('two', 'test'), { code: 'volume-paused' });
  const refused = await publish('two', bytes);
  assert.equal(refused.status, 503);
  assert.match(refused.body, /volume-paused.*10 MiB/);
  await host.recorder.pauseVolume(session.volume, undefined);
  assert.equal((await publish('two', bytes)).status, 200);
});

test('a volume that was lost says so to publishers until it is there again', async () => {
  const { bytes } = await clip(4);
  const volume = host.recorder.attached[0] ?? '';
  const died = new ReelError('block-plane-died', {
    expected: 'a block plane',
    got: 'none',
    hint: 'open the volume again',
  });
  await host.recorder.loseVolume(volume, died);
  const refused = await publish('three', bytes);
  assert.equal(refused.status, 503);
  assert.match(refused.body, /volume-paused.*block-plane-died/);
  await host.attach();
  assert.equal((await publish('three', bytes)).status, 200);
});
