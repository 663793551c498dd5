/** Somebody else fills the filesystem of a volume, or that below a sparse container, while the whole service records. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { reelPath } from '../../src/archive/reel.ts';
import { host } from '../command.ts';
import { makeClip, Publisher } from '../e2e/publisher.ts';
import { Service, type Setup } from '../e2e/service.ts';
import {
  eventOf,
  eventsSince,
  gapReasons,
  metric,
  newestEvent,
  oldReel,
  rebuildCatalog,
  type Told,
  Witness,
} from './ground.ts';

const mib = 1024 * 1024;

/** Writes until there is no room left, also none of root's. */
const fill = async (file: string): Promise<void> => {
  await host('sh', ['-c', `cat /dev/zero >'${file}' 2>/dev/null; sync -f '${file}' || true`], { timeoutMs: 120_000 });
};

describe('a filesystem that somebody else fills', { timeout: 600_000 }, () => {
  const resources = new AsyncDisposableStack();
  let clip: string;
  before(async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'rv-full-'));
    resources.defer(() => rm(folder, { recursive: true, force: true }));
    // What a reel was given ahead (8 MiB) is soon used up.
    clip = await makeClip(folder, '6M');
  });
  after(() => resources.disposeAsync());

  /** A service with an open volume `main` that a publisher is recorded into, and has acknowledged something. */
  const start = async (stack: AsyncDisposableStack, setup: Setup, ...more: readonly string[]) => {
    const service = await Service.make({ REELVAULT_HOST_RESERVE_MIB: '64' }, setup);
    stack.defer(() => service.close());
    const mountPoint = await service.makeVolume('256M', ...more);
    const witness = new Witness(service, 'cam');
    let publisher: Publisher | undefined;
    stack.defer(async () => publisher?.close());
    const publish = async (): Promise<void> => {
      await publisher?.ended;
      publisher = await Publisher.start(service, 'cam', clip);
      await witness.more(2);
    };
    await publish();
    /** The refusal of a publisher. */
    const refusal = async (): Promise<readonly unknown[]> => {
      const ticket = (await service.request('POST', '/api/v1/streams/cam/tickets')).json as { path: string };
      const { status, error } = await service.request('PUT', ticket.path, (await readFile(clip)).subarray(0, 188_000));
      return [status, error?.code];
    };
    const event = (after: string | undefined, wanted: string): Promise<Told> =>
      eventOf(service, after, wanted, ({ type }) => type === wanted);
    return { service, mountPoint, witness, publish, refusal, event };
  };

  test('the volume: its streams end with no-space, it is paused, retention makes room, and it goes on by itself', async () => {
    await using stack = new AsyncDisposableStack();
    const { service, mountPoint, witness, publish, refusal, event } = await start(stack, {});
    const filler = path.join(mountPoint, 'filler');
    /** While nobody looks how full it is, as where it fills up faster than that. The event with which the stream ended. */
    const fillUnseen = async (): Promise<Told> => {
      const begun = await newestEvent(service);
      const helper = service.partPid('helper');
      process.kill(helper, 'SIGSTOP');
      try {
        await fill(filler);
        return await event(begun, 'stream.failed');
      } finally {
        process.kill(helper, 'SIGCONT');
      }
    };

    // 1. Without a rule nothing is deleted: it waits until whoever has filled it makes room.
    const failed = await fillUnseen();
    assert.deepEqual([failed.stream, failed.facts.code], ['cam', 'no-space']);
    await event(failed.id, 'volume.paused');
    assert.deepEqual(await refusal(), [503, 'volume-paused']);
    assert.equal(await metric(service, 'volume_condition{volume="main",kind="volume-space"}'), 1);
    await witness.prove();
    await rm(filler);
    await event(failed.id, 'volume.resumed');
    await publish();
    assert.ok((await gapReasons(service, 'cam')).at(-1)?.includes('full'));

    // 2. With a rule, and something old, it makes room itself.
    const old = Math.floor(Date.now() / 3_600_000) - 48;
    await oldReel(mountPoint, 'old', old, 24 * mib);
    await rebuildCatalog(service);
    const ruled = await service.cli(['archive', 'retention', 'set', '--free-minutes', '1']);
    assert.equal(ruled.exitCode, 0, JSON.stringify(ruled.error));
    const again = await fillUnseen();
    const purged = await event(again.id, 'archive.purged');
    assert.deepEqual([purged.stream, purged.facts.reels], ['old', 1]);
    await event(again.id, 'volume.resumed');
    assert.equal(await stat(path.join(mountPoint, reelPath('old', old))).catch(() => undefined), undefined);
    await publish();
    await witness.prove();
    const checked = await service.cli(['check', 'main', '--level', 'bytes']);
    assert.equal(checked.exitCode, 0, JSON.stringify(checked));
  });

  test('the host below a sparse container: it is paused before a write fails, and goes on by itself', async () => {
    await using stack = new AsyncDisposableStack();
    let below = '';
    const prepare = async (datapath: string): Promise<void> => {
      await host('mount', ['-t', 'tmpfs', '-o', 'size=320m,mode=0755', 'reelvault-test', datapath]);
      below = path.join(datapath, 'filler');
    };
    const { service, witness, publish, refusal, event } = await start(stack, { prepare }, '--sparse');
    const begun = await newestEvent(service);
    const { bavail, bsize } = await statfs(path.dirname(below));
    await host('fallocate', ['-l', String(bavail * bsize - 40 * mib), below]);
    const paused = await event(begun, 'volume.paused');
    await event(begun, 'stream.paused');
    assert.deepEqual(await refusal(), [503, 'volume-paused']);
    assert.equal(await metric(service, 'volume_condition{volume="main",kind="host-space"}'), 1);
    await witness.prove();
    await rm(below);
    await event(paused.id, 'volume.resumed');
    await publish();
    assert.ok((await gapReasons(service, 'cam')).at(-1)?.includes('full'));
    const wrong = ['stream.failed', 'volume.state'];
    assert.deepEqual(
      (await eventsSince(service, begun)).filter(({ type }) => wrong.includes(type)),
      [],
    );
    await witness.prove();
  });
});
