/** A disk that does nothing any more: told, then cut off; its volume fails and its streams with it, and another volume does not notice. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { makeClip, Publisher } from '../e2e/publisher.ts';
import { Service } from '../e2e/service.ts';
import { blockPlanesBeneath } from '../e2e/storage.ts';
import { eventOf, gapReasons, metric, newestEvent, sessionOf, type Told, Witness } from './ground.ts';

test('what is lost with a block plane that hangs is told as the disk, from the first byte on', {
  timeout: 300_000,
}, async () => {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(os.tmpdir(), 'rv-hung-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const clip = await makeClip(folder);
  const service = await Service.make({ REELVAULT_HANG_MS: '9000' });
  stack.defer(() => service.close());
  const done = async (...args: readonly string[]): Promise<void> => {
    const { exitCode, error } = await service.cli(args);
    assert.equal(exitCode, 0, JSON.stringify(error));
  };
  const create = (name: string) => done('volume', 'create', name, '--size', '256M', '--engine', 'userspace');
  await create('main');
  const [plane] = await blockPlanesBeneath(service.folder);
  assert.ok(plane !== undefined);
  await create('beside');
  stack.defer(() => done('volume', 'lock', 'beside', '--drain'));
  await done('stream', 'set', 'well', '--volume', 'beside');
  const publish = async (stream: string): Promise<Publisher> => {
    const publisher = await Publisher.start(service, stream, clip);
    stack.defer(() => publisher.close());
    return publisher;
  };
  const [cam, well] = [new Witness(service, 'cam'), new Witness(service, 'well')];
  const publisher = await publish('cam');
  await publish('well');
  await Promise.all([cam.more(2), well.more(2)]);
  const [before, begun] = [await sessionOf(service, 'well'), await newestEvent(service)];
  const event = (what: string, is: (told: Told) => boolean): Promise<Told> => eventOf(service, begun, what, is);

  process.kill(plane, 'SIGSTOP');
  await event('it stalls', ({ type, facts }) => type === 'volume.condition' && facts.kind === 'storage-stalled');
  assert.equal(await metric(service, 'volume_condition{volume="main",kind="storage-stalled"}'), 1);
  await well.more(2);
  const failed = await event('it failed', ({ type, facts }) => type === 'volume.state' && facts.state === 'failed');
  assert.deepEqual([failed.volume, failed.facts.code], ['main', 'storage-hung']);
  await event('its stream failed', ({ type, stream }) => type === 'stream.failed' && stream === 'cam');
  await publisher.ended;
  await well.more(2);

  await done('volume', 'open', 'main');
  await publish('cam');
  await cam.more(2);
  assert.deepEqual((await gapReasons(service, 'cam')).at(-1), ['disk']);
  assert.deepEqual(await sessionOf(service, 'well'), before);
  await Promise.all([cam.prove(), well.prove()]);
});
