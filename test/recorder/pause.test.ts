/** A volume that takes no recordings for a while: what came in is durable, publishers are told why, reading goes on. */
import assert from 'node:assert/strict';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { explained } from '../../src/datapath/failure.ts';
import { Jail } from '../../src/datapath/jail.ts';
import { ReelError } from '../../src/errors.ts';
import { clip } from '../ingest/clip.ts';
import { Host, uuid } from '../ingest/host.ts';

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

test('an open volume that cannot be taken into use says why, to publishers and viewers, until it is let go', async () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-closed-'));
  const jail = new Jail({ fd: openSync(directory, 'r'), label: 'volume closed' });
  const refusing = Object.assign(Object.create(jail) as Jail, {
    // root is refused nothing: the answer of the kernel to the service's account stands in
    readdir: (name: string) =>
      explained('volume closed', 'list', name, () => {
        throw Object.assign(new Error('permission denied'), { code: 'EACCES' });
      }),
  });
  try {
    await host.recorder.put('cam', { volume: 'closed' });
    const attached = host.recorder.attachVolume({ name: 'closed', uuid, jail: refusing });
    await assert.rejects(attached, { code: 'volume-state', message: /EACCES.*setfacl/ });
    assert.ok(!host.recorder.attached.includes('closed'));
    const { bytes } = await clip(4);
    const refused = await publish('cam', bytes);
    assert.equal(refused.status, 409);
    assert.match(refused.body, /permission denied.*\.reelvault\/open.*EACCES/);
    assert.throws(() => host.recorder.archive('cam'), { code: 'volume-state', message: /permission denied/ });
    await host.recorder.detachVolume('closed', { drain: false });
    assert.match((await publish('cam', bytes)).body, /open the volume first/);
  } finally {
    await jail.close();
    rmSync(directory, { recursive: true });
  }
});
