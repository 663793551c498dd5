/**
 * A directory of one stream that the service may not read, as after a mistaken chmod: the rest of the volume is recorded, served, catalogued and deleted by
 * its rules. The daemon is confined and no root, so that the kernel refuses it.
 */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { indexPath, reelPath } from '../../src/archive/reel.ts';
import { archiveTarget, segmentUrls } from '../e2e/archive.ts';
import { makeClip, Publisher } from '../e2e/publisher.ts';
import { Service } from '../e2e/service.ts';
import { eventsSince, newestEvent, oldReel, published, rebuildCatalog, Witness } from './ground.ts';

const past = Math.floor(Date.now() / 3_600_000) - 48;

describe('a directory that cannot be read', { timeout: 600_000 }, () => {
  const resources = new AsyncDisposableStack();
  let service: Service;
  let clip: string;
  let mountPoint: string;
  const publishers: Publisher[] = [];

  const publish = async (stream: string): Promise<void> => {
    await published(service, stream, false);
    publishers.push(await Publisher.start(service, stream, clip));
  };
  const dayOf = (stream: string, hour: number): string => path.dirname(reelPath(stream, hour));
  const close = async (directory: string): Promise<void> => chmod(path.join(mountPoint, directory), 0);
  const reopen = async (directory: string): Promise<void> => chmod(path.join(mountPoint, directory), 0o755);
  const told = (directory: string): number =>
    service.log
      .split('\n')
      .filter((line) => line.includes('passed over a directory') && line.includes(`"directory":"${directory}"`)).length;
  const isThere = async (name: string): Promise<boolean> =>
    (await stat(path.join(mountPoint, name)).catch(() => undefined)) !== undefined;

  before(async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'rv-unreadable-'));
    resources.defer(() => rm(folder, { recursive: true, force: true }));
    clip = await makeClip(folder);
    service = await Service.make();
    resources.defer(() => service.close());
    mountPoint = await service.makeVolume();
    for (const stream of ['cam', 'door']) await oldReel(mountPoint, stream, past, 100_000);
  });
  afterEach(async () => {
    for (const publisher of publishers.splice(0)) await publisher.close();
  });
  after(() => resources.disposeAsync());

  test('retention deletes what it can and says what it cannot', async () => {
    await rebuildCatalog(service);
    await close(dayOf('cam', past));
    const begun = await newestEvent(service);
    const ruled = await service.cli(['archive', 'retention', 'set', '--max-age', '24h']);
    assert.equal(ruled.exitCode, 0, JSON.stringify(ruled));
    for (let turn = 0; turn < 2; turn += 1) {
      const ran = await service.cli(['archive', 'retention', 'run']);
      assert.equal(ran.exitCode, 0, JSON.stringify(ran));
    }
    assert.deepEqual(await Promise.all(['cam', 'door'].map((stream) => isThere(indexPath(stream, past)))), [
      true,
      false,
    ]);
    const events = (await eventsSince(service, begun)).filter(({ type }) => type.startsWith('archive.purge'));
    assert.deepEqual(
      events.map(({ type, stream, facts }) => [type, stream, facts.code ?? facts.reels]),
      [
        ['archive.purge.stuck', 'cam', 'io-error'],
        ['archive.purged', 'door', 1],
      ],
    );
    await service.cli(['archive', 'retention', 'set', '--max-age', 'none']);
  });

  test('a catalog is made without it, all streams are recorded, and it is told once', async () => {
    await rebuildCatalog(service);
    const locked = await service.cli(['volume', 'lock', 'main']);
    assert.equal(locked.exitCode, 0, JSON.stringify(locked.error));
    const opened = await service.cli(['volume', 'open', 'main']);
    assert.equal(opened.exitCode, 0, JSON.stringify(opened.error));
    const before = told(dayOf('cam', past));
    assert.ok(before > 0);
    for (const stream of ['cam', 'door']) {
      await publish(stream);
      await new Witness(service, stream).more(2);
    }
    assert.ok(told(dayOf('cam', past)) - before <= 1, 'once since the volume was opened');
    await reopen(dayOf('cam', past));
    await rebuildCatalog(service);
    const from = past * 3600;
    const { json } = await service.request(
      'GET',
      `/cam/recording_status.json?from=${from}&to=${from + 3600}&request=ranges`,
    );
    assert.equal((json as { ranges: unknown[] }[])[0]?.ranges.length, 1, JSON.stringify(json));
  });

  test('the one of now: its stream is refused with the reason, the others go on', async () => {
    const [cam, door] = [new Witness(service, 'cam'), new Witness(service, 'door')];
    await publish('door');
    await cam.look();
    await door.more(2);
    const today = dayOf('cam', Math.floor(Date.now() / 3_600_000));
    await close(today);
    const ticket = (await service.request('POST', '/api/v1/streams/cam/tickets')).json as { path: string };
    const { error } = await service.request('PUT', ticket.path, Buffer.alloc(188_000));
    assert.equal(error?.code, 'io-error', JSON.stringify(error));
    const { failure } = (await service.request('GET', '/api/v1/streams/cam')).json as { failure: { got: string } };
    assert.match(failure.got, /EACCES/);
    assert.deepEqual(await segmentUrls(service, archiveTarget('cam')), []);
    await door.more(2);
    await reopen(today);
    await publish('cam');
    await cam.more(2);
    await cam.prove();
    await door.prove();
  });
});
