/** A new volume key for a volume in use: whoever writes goes on, and whatever ends the work, what was acknowledged is there. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ReelError, toReelError } from '../../src/errors.ts';
import { findMapping } from '../../src/volume/engine/mapping.ts';
import { findRewriters } from '../../src/volume/engine/rewriter.ts';
import { mountAt, readMounts } from '../../src/volume/mountinfo.ts';
import { describeEngines, type Helper, openRequest, Place, shorter } from '../helper/harness.ts';
import { bytes, KeyedVolume } from './keys.ts';
import { ciphertext, finish, resume, start, status } from './rewriting.ts';

const piece = 16 * 1024 * 1024;
/** Of which two pieces are data. */
const size = 48 * 1024 * 1024;

/** Writes one file after the other, each synced, until it is told to end or an error does. */
class Recording {
  /** SHA-256 of what was acknowledged, by name. */
  readonly acknowledged = new Map<string, string>();
  readonly #ended: Promise<ReelError | undefined>;
  readonly #stop = new AbortController();

  constructor(root: string) {
    this.#ended = this.#run(root).then(
      () => undefined,
      (error: unknown) => toReelError(error),
    );
  }

  /** The error that ended it, if one did. */
  end(): Promise<ReelError | undefined> {
    this.#stop.abort();
    return this.#ended;
  }

  async prove(root: string): Promise<void> {
    assert.ok(this.acknowledged.size > 0, 'nothing was written');
    for (const [name, sum] of this.acknowledged)
      assert.equal(
        createHash('sha256')
          .update(await readFile(path.join(root, name)))
          .digest('hex'),
        sum,
        name,
      );
  }

  async #run(root: string): Promise<void> {
    for (let number = 0; !this.#stop.signal.aborted; number = (number + 1) % 20) {
      const content = randomBytes(384 * 1024);
      const name = `segment-${number}`;
      this.acknowledged.delete(name);
      const file = await open(path.join(root, name), 'w');
      try {
        await file.writeFile(content);
        await file.sync();
        this.acknowledged.set(name, createHash('sha256').update(content).digest('hex'));
      } finally {
        await file.close();
      }
      await sleep(5);
    }
  }
}

/** Stops the rewriter where nobody waits for its piece: whoever reads and writes goes on, and it does not end before it is let go. */
const hold = async (pid: number, uuid: string): Promise<void> => {
  for (;;) {
    process.kill(pid, 'SIGSTOP');
    while (!/\) [tT] /.test(await readFile(`/proc/${pid}/stat`, 'utf8'))) await sleep(5);
    if ((await findMapping({ uuid }))?.layers.every(({ suspended }) => !suspended)) return;
    process.kill(pid, 'SIGCONT');
    await sleep(20);
  }
};

/** Whether a process that is stopped will hear SIGTERM when it goes on. */
const isAsked = async (pid: number): Promise<boolean> => {
  const [, pending = '0'] = /^ShdPnd:\s*(\w+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return (BigInt(`0x${pending}`) & (1n << BigInt(constants.signals.SIGTERM - 1))) !== 0n;
};

await describeEngines('online reencryption', (engine) => {
  let place: Place;
  before(async () => {
    place = await Place.make();
  });
  after(() => place.destroy());

  const directory = ({ name }: KeyedVolume): string => path.join(place.mounts, name, 'dvr');

  /** Opens without keeping a descriptor. */
  const openIt = async (
    { client }: Helper,
    { name }: KeyedVolume,
    more: Parameters<typeof openRequest>[1] = {},
    ...secret: Buffer[]
  ) => closeSync((await client.call(openRequest(engine, { name, ...more }), ...secret)).fd);

  const make = async (helper: Helper, name: string): Promise<KeyedVolume> => {
    const volume = new KeyedVolume(place, name, engine);
    await volume.create(helper, undefined, { size });
    await openIt(helper, volume);
    return volume;
  };

  /** Finishes, and proves what is on the disk. */
  const finishAndProve = async (helper: Helper, volume: KeyedVolume, recording: Recording): Promise<void> => {
    await finish(helper, volume.name);
    await recording.prove(directory(volume));
    await helper.client.call({ verb: 'lock', name: volume.name });
    await openIt(helper, volume);
    await recording.prove(directory(volume));
    await helper.client.call({ verb: 'lock', name: volume.name });
    await volume.proveSettled();
  };

  if (engine === 'userspace') {
    test('refused: the block plane serves a container under one volume key', () =>
      place.withHelper(async (helper) => {
        const volume = await make(helper, 'one');
        const refused = { code: 'volume-state', message: /userspace engine.*reelvault volume lock one/ };
        await assert.rejects(helper.client.call(start('one')), refused);
        assert.equal((await status(helper, 'one')).state, 'none');
        await helper.client.call({ verb: 'lock', name: 'one' });
        await volume.proveSettled();
      }));
    return;
  }

  test('all data under a new key while it is written to, and never unmounted', () =>
    place.withHelper(async (helper) => {
      const volume = await make(helper, 'whole');
      const mounted = async (): Promise<number | undefined> =>
        mountAt(await readMounts(), path.join(place.mounts, 'whole'))?.id;
      const mount = await mounted();
      const old = [await ciphertext(volume), await ciphertext(volume, piece)];
      const recording = new Recording(directory(volume));
      assert.equal((await helper.client.call(start('whole'))).result.state, 'running');
      assert.equal((await helper.client.call(start('whole'))).result.state, 'running', 'the same call again');
      assert.equal(
        findRewriters({ path: volume.container, uuid: (await volume.luks.dump(volume.container)).uuid }).length,
        1,
      );
      const inspected = await helper.client.call({ verb: 'inspect', name: 'whole', descriptor: false });
      assert.equal(inspected.result.state, 'open');
      const grow = { verb: 'grow', name: 'whole', size: size + piece } as const;
      await assert.rejects(helper.client.call(grow), { code: 'reencryption-unfinished' });
      await finish(helper, 'whole');
      assert.equal(await recording.end(), undefined, 'a write failed');
      assert.equal(await mounted(), mount);
      assert.notDeepEqual(await ciphertext(volume), old[0]);
      assert.notDeepEqual(await ciphertext(volume, piece), old[1]);
      await recording.prove(directory(volume));
      await helper.client.call({ verb: 'lock', name: 'whole' });
      await openIt(helper, volume);
      await recording.prove(directory(volume));
      await helper.client.call(grow);
      await helper.client.call({ verb: 'lock', name: 'whole' });
    }));

  test('locked in the middle: it stops after its piece, an open goes on with it, the other ways to open are refused', () =>
    place.withHelper(async (helper) => {
      const { client } = helper;
      const volume = new KeyedVolume(place, 'half', engine);
      await volume.create(helper, 'phrase', { size: size + piece });
      const phrase = { key: 'passphrase' } as const;
      await openIt(helper, volume, phrase, bytes('phrase'));
      const recording = new Recording(directory(volume));
      await client.call({ ...start('half'), current: 'passphrase' }, bytes('phrase'));
      const { uuid } = await volume.luks.dump(volume.container);
      const [{ pid } = assert.fail('nobody rewrites it')] = findRewriters({ path: volume.container, uuid });
      await hold(pid, uuid);
      while (recording.acknowledged.size === 0) await sleep(20);
      assert.equal(await recording.end(), undefined, 'a write failed');
      let locked = false;
      const locking = client.call({ verb: 'lock', name: 'half' }).finally(() => {
        locked = true;
      });
      while (!locked && !(await isAsked(pid))) await sleep(20);
      process.kill(pid, 'SIGCONT');
      await locking;
      assert.equal((await status(helper, 'half')).state, 'unfinished');
      assert.deepEqual((await place.leftovers()).mounts, []);
      const refused = { code: 'reencryption-unfinished' };
      const readOnly = openRequest(engine, { name: 'half', readOnly: true, ...phrase });
      await assert.rejects(client.call(readOnly, bytes('phrase')), refused);
      const otherEngine = openRequest('userspace', { name: 'half', ...phrase });
      await assert.rejects(client.call(otherEngine, bytes('phrase')), refused);
      await assert.rejects(client.call(openRequest(engine, { name: 'half', ...phrase }), bytes('x')), {
        code: 'wrong-key',
      });

      await openIt(helper, volume, phrase, bytes('phrase'));
      assert.equal((await status(helper, 'half')).state, 'running');
      await recording.prove(directory(volume));
      await finish(helper, 'half');
      await recording.prove(directory(volume));
      await client.call({ verb: 'lock', name: 'half' });
      await openIt(helper, volume, phrase, bytes('phrase'));
      await recording.prove(directory(volume));
      await client.call({ verb: 'lock', name: 'half' });
      await volume.proveSettled();
    }));

  test('kill -9 in the middle of a piece: the volume failed, what was acknowledged is there after an open, which goes on', () =>
    place.withHelper(async (helper) => {
      const { client } = helper;
      const volume = await make(helper, 'torn');
      const { uuid } = await volume.luks.dump(volume.container);
      const recording = new Recording(directory(volume));
      await client.call(start('torn'));
      const [worker] = findRewriters({ path: volume.container, uuid });
      while ((await findMapping({ uuid }))?.layers.every(({ suspended }) => !suspended)) await sleep(5);
      process.kill(worker?.pid ?? 0, 'SIGKILL');
      while (findRewriters({ path: volume.container, uuid }).length > 0) await sleep(20);
      const { result } = await client.call({ verb: 'inspect', name: 'torn', descriptor: false });
      assert.equal(result.state, 'stale');
      assert.equal(result.problem?.code, 'block-plane-died');
      const watched = await client.call({ verb: 'watch', volumes: [{ name: 'torn', uuid }] });
      assert.equal(watched.result.volumes[0]?.plane?.state, 'gone');
      assert.equal((await status(helper, 'torn')).state, 'unfinished');
      await assert.rejects(client.call(resume('torn')), { code: 'volume-state' });

      // Whoever waited for the torn piece has its file open until the first attempt has let it go.
      await client
        .call({ verb: 'lock', name: 'torn' })
        .catch((error: ReelError) => assert.equal(error.code, 'volume-busy'));
      await recording.end();
      await openIt(helper, volume);
      assert.equal((await status(helper, 'torn')).state, 'running');
      await finishAndProve(helper, volume, recording);
    }));

  test('kill -9 of the helper after a step: the same call again finishes, and the volume stays open', async () => {
    for (const step of shorter(['marked', 'begun', 'backup', 'running'])) {
      const name = `step-${step}`;
      const volume = await place.withHelper((helper) => make(helper, name));
      const recording = new Recording(directory(volume));
      const crashing = await place.helper({ crashAfter: `reencrypt-${step}` });
      await assert.rejects(crashing.client.call(start(name)), { code: 'helper-unavailable' }, step);
      assert.equal(await crashing.ended, 'SIGKILL', step);
      await place.withHelper(async (helper) => {
        await helper.client.call(start(name));
        assert.equal(await recording.end(), undefined, `${step}: a write failed`);
        await finishAndProve(helper, volume, recording);
      });
    }
  });
});
