/** Processes that die in mid-recording: the volume stays or says why not, and every acknowledged segment is there, byte for byte. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { acknowledged, recorded } from './archive.ts';
import { makeClip, Publisher } from './publisher.ts';
import { Service } from './service.ts';
import { blockPlanesBeneath } from './storage.ts';

interface VolumeView {
  readonly state: string;
  readonly mountPoint: string;
  readonly engine: string;
  readonly failure: { error: { code: string; expected: string; got: string }; nextStep: string } | null;
}

describe('a process dies in mid-recording', { timeout: 600_000 }, () => {
  const resources = new AsyncDisposableStack();
  let service: Service;
  let clip: string;
  const publishers: Publisher[] = [];

  const publish = async (stream: string): Promise<Publisher> => {
    const publisher = await Publisher.start(service, stream, clip);
    publishers.push(publisher);
    return publisher;
  };
  const volume = async (): Promise<VolumeView> =>
    (await service.request('GET', '/api/v1/volumes/main')).json as VolumeView;
  /** The kernel's number of the mount: another one means that it was unmounted in between. */
  const mountId = async (at: string): Promise<string | undefined> =>
    (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .map((line) => line.split(' '))
      .find((fields) => fields[4] === at)?.[0];
  const expectAll = async (stream: string, before: ReadonlyMap<string, string>): Promise<void> => {
    const now = await acknowledged(service, stream);
    assert.deepEqual(new Map([...before.keys()].map((url) => [url, now.get(url)])), before);
  };
  const started = (part: string): number =>
    service.events.filter((each) => each.event === 'started' && each.part === part).length;

  before(async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'rv-crash-'));
    resources.defer(() => rm(folder, { recursive: true, force: true }));
    clip = await makeClip(folder);
    service = await Service.make();
    resources.defer(() => service.close());
    await service.makeVolume();
  });
  afterEach(async () => {
    for (const publisher of publishers.splice(0)) await publisher.close();
  });
  after(() => resources.disposeAsync());

  test('the daemon: the mount stays, its successor adopts it, the publisher reconnects', async () => {
    const publisher = await publish('one');
    await recorded(service, 'one', 4);
    const { mountPoint } = await volume();
    const mount = await mountId(mountPoint);
    const planes = await blockPlanesBeneath(service.folder);
    assert.ok(mount !== undefined);
    const before = await acknowledged(service, 'one');
    const count = started('daemon');

    process.kill(service.partPid('daemon'), 'SIGKILL');
    assert.equal(await mountId(mountPoint), mount);
    await publisher.ended;
    await service.until(() => (started('daemon') > count ? true : undefined), 'the daemon to be started again');

    assert.equal((await volume()).state, 'open');
    assert.equal(await mountId(mountPoint), mount);
    assert.deepEqual(await blockPlanesBeneath(service.folder), planes);
    await expectAll('one', before);
    await publish('one');
    await recorded(service, 'one', before.size + 3);
    await expectAll('one', before);
  });

  test('everything but the block plane: the next start adopts the volume', async () => {
    await publish('two');
    await recorded(service, 'two', 4);
    const { mountPoint } = await volume();
    const mount = await mountId(mountPoint);
    const before = await acknowledged(service, 'two');
    for (const pid of [service.pid, service.partPid('daemon'), service.partPid('helper')]) process.kill(pid, 'SIGKILL');
    assert.equal(await service.ended(), null);
    assert.equal(await mountId(mountPoint), mount);

    await service.start();
    assert.equal((await volume()).state, 'open');
    assert.equal(await mountId(mountPoint), mount);
    await expectAll('two', before);
    await publish('two');
    await recorded(service, 'two', before.size + 3);
    await expectAll('two', before);
  });

  test('the helper: recording goes on, its successor takes the next order', async () => {
    const publisher = await publish('three');
    const before = (await recorded(service, 'three', 3)).length;
    const count = started('helper');
    process.kill(service.partPid('helper'), 'SIGKILL');
    await recorded(service, 'three', before + 3);
    await service.until(() => (started('helper') > count ? true : undefined), 'the helper to be started again');
    assert.equal((await publisher.stop()).stderr, '');
    const sums = await acknowledged(service, 'three');

    const locked = await service.cli(['volume', 'lock', 'main']);
    assert.equal(locked.exitCode, 0, JSON.stringify(locked.error));
    assert.equal((await volume()).state, 'locked');
    const opened = await service.cli(['volume', 'open', 'main']);
    assert.equal(opened.exitCode, 0, JSON.stringify(opened.error));
    await expectAll('three', sums);
  });

  test('luksblock: the volume has failed with the reason; lock and open bring it back', async () => {
    const publisher = await publish('four');
    await recorded(service, 'four', 4);
    const before = await acknowledged(service, 'four');
    const [plane] = await blockPlanesBeneath(service.folder);
    assert.ok(plane !== undefined);
    process.kill(plane, 'SIGKILL');

    const failed = await service.until(async () => {
      const now = await volume();
      return now.state === 'failed' ? now : undefined;
    }, 'the volume to be in the state failed');
    assert.equal(failed.failure?.error.code, 'block-plane-died');
    assert.notEqual(failed.failure?.error.expected, '');
    assert.notEqual(failed.failure?.error.got, '');
    assert.notEqual(failed.failure?.nextStep, '');
    await publisher.ended;

    const locked = await service.cli(['volume', 'lock', 'main']);
    assert.equal(locked.exitCode, 0, JSON.stringify(locked.error));
    const opened = await service.cli(['volume', 'open', 'main']);
    assert.equal(opened.exitCode, 0, JSON.stringify(opened.error));
    assert.equal((await volume()).state, 'open');
    await expectAll('four', before);
    await publish('four');
    await recorded(service, 'four', before.size + 3);
  });
});
