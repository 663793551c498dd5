/**
 * EIO of one reel, call by call, against the whole daemon: its stream ends with `io-error`, the others go on, and it is recorded again when its
 * publisher comes back. The calls are those of the segment writer with each of its two ways to write.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { makeClip, Publisher } from '../e2e/publisher.ts';
import { Service } from '../e2e/service.ts';
import { FaultControl } from '../fault/control.ts';
import { eventOf, gapReasons, newestEvent, published, sessionOf, Witness } from './ground.ts';

const unconfined = [process.execPath, path.join(import.meta.dirname, 'unconfined.ts')] as const;
/** With the one that has the error more than three: their commits sync the whole volume (docs/archive.md, "Commit"). */
const others = ['one', 'two', 'three'];

for (const [backend, writes] of [
  ['io_uring', ['io_uring']],
  ['pwrite', ['pwritev', 'pwritev64']],
] as const)
  describe(`EIO of one reel, written with ${backend}`, { timeout: 600_000 }, () => {
    const resources = new AsyncDisposableStack();
    let service: Service;
    let clip: string;
    let control: FaultControl;
    let mountPoint: string;
    let bad: Publisher | undefined;
    let witness: Witness;
    let atStart: Awaited<ReturnType<typeof sessions>>;

    const publish = (stream: string): Promise<Publisher> => Publisher.start(service, stream, clip);
    const sessions = () => Promise.all(others.map((stream) => sessionOf(service, stream)));

    before(async () => {
      const folder = await mkdtemp(path.join(os.tmpdir(), 'rv-reel-error-'));
      resources.defer(() => rm(folder, { recursive: true, force: true }));
      clip = await makeClip(folder);
      control = await FaultControl.make(folder, []);
      const settings = { REELVAULT_WRITER: backend, KEEP_RINGS: '1', ...control.environment };
      service = await Service.make(settings, { command: unconfined });
      resources.defer(() => service.close());
      // so large that reels are allocated ahead
      mountPoint = await service.makeVolume('1536M', '--sparse');
      for (const stream of others) {
        const publisher = await publish(stream);
        resources.defer(() => publisher.close());
        await new Witness(service, stream).more(1);
      }
      atStart = await sessions();
      witness = new Witness(service, 'bad');
    });
    afterEach(async () => {
      control.off();
      await bad?.close();
      bad = undefined;
      await published(service, 'bad', false);
    });
    after(() => resources.disposeAsync());

    /** The calls fail on the files beneath `below`, a path in the volume, until the publisher is gone; then it comes back. */
    const endsAndComesBack = async (calls: readonly string[], below: string): Promise<void> => {
      const begun = await newestEvent(service);
      control.failEach(calls, path.join(mountPoint, below), 'EIO');
      bad ??= await publish('bad');
      const { ended } = bad;
      const failed = await eventOf(service, begun, 'bad has failed', ({ type, stream }) => {
        return type === 'stream.failed' && stream === 'bad';
      });
      assert.equal(failed.facts.code, 'io-error', JSON.stringify(failed));
      assert.ok(control.hits > 0);
      await ended;
      bad = undefined;
      await witness.look();
      // the others write on while it lasts
      for (const stream of others) await new Witness(service, stream).more(1);
      control.off();
      const before = witness.count;
      bad = await publish('bad');
      await witness.more(2);
      if (before > 0) assert.ok((await gapReasons(service, 'bad')).at(-1)?.includes('disk'));
      assert.deepEqual(await sessions(), atStart);
    };

    test('a file of its own that cannot be made: nothing of it is recorded, and no other stream notices', async () => {
      await endsAndComesBack(['renameat'], '.reelvault/open/bad');
    });

    for (const [what, calls] of [
      ['a write', writes],
      ['a sync', ['fdatasync', 'syncfs']],
      ['a write to its index', ['pwrite', 'pwrite64']],
    ] as const)
      test(`${what}: what was acknowledged is there, and it goes on with its publisher`, async () => {
        bad = await publish('bad');
        await witness.more(2);
        await endsAndComesBack(calls, 'dvr/bad/');
      });

    test('no room to allocate ahead: nobody notices', async () => {
      const begun = await newestEvent(service);
      control.failEach(['fallocate', 'fallocate64'], path.join(mountPoint, 'dvr/bad/'), 'EIO');
      bad = await publish('bad');
      await witness.more(3);
      assert.ok(control.hits > 0);
      await eventOf(service, begun, 'bad is published', ({ type }) => type === 'stream.started');
      const failed = await service.request('GET', `/api/v1/events/recent?after=${begun}&type=stream.failed`);
      assert.deepEqual((failed.json as { events: unknown[] }).events, []);
    });

    test('in the end every byte is as it was acknowledged, and the archive is whole', async () => {
      await witness.prove();
      for (const stream of others) assert.deepEqual(await gapReasons(service, stream), []);
      const checked = await service.cli(['check', 'main', '--level', 'bytes']);
      assert.equal(checked.exitCode, 0, JSON.stringify(checked));
    });
  });
