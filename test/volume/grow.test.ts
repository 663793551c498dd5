/** Volumes that grow, in use and locked: what they hold stays, whatever ends in the middle, and the next call finishes. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, existsSync } from 'node:fs';
import { mkdir, open, readFile, stat, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReelError } from '../../src/errors.ts';
import { run } from '../../src/exec/run.ts';
import type { GrowReport } from '../../src/helper/protocol/grow.ts';
import { onlineRefusal } from '../../src/volume/grow/filesystem.ts';
import { createRequest, describeEngines, type Helper, openRequest, Place, shorter, size } from '../helper/harness.ts';
import { editLuks2 } from '../luksblock/containers.ts';

const MiB = 1024 ** 2;
const none = { loops: [], mounts: [], processes: [] };
/** Where the machine lets nobody grow a mounted ext4, the filesystem waits for the next open. */
const online = (await onlineRefusal('ext4')) === undefined;
const quiet = { timeoutMs: 60_000 };

/** Writes a file in an open volume until it is told to end, syncing as a recorder does. */
class Recording {
  readonly #end = new AbortController();
  readonly #hash = createHash('sha256');
  readonly #done: Promise<number>;
  #longestMs = 0;
  #written = 0;

  constructor(root: number) {
    this.#done = this.#write(`/proc/self/fd/${root}/dvr/recording`);
  }

  async #write(file: string): Promise<number> {
    const handle = await open(file, 'w');
    try {
      // Not more than the smallest of these volumes holds.
      while (!this.#end.signal.aborted && this.#written < 20 * MiB) {
        const bytes = randomBytes(32 * 1024);
        const began = performance.now();
        await handle.write(bytes);
        await handle.datasync();
        this.#longestMs = Math.max(this.#longestMs, performance.now() - began);
        this.#hash.update(bytes);
        this.#written += bytes.length;
      }
    } finally {
      await handle.close();
    }
    return this.#written;
  }

  get written(): number {
    return this.#written;
  }

  /** The digest of all that was written, and the longest wait for one durable write. */
  async end(): Promise<{ readonly digest: string; readonly bytes: number; readonly longestMs: number }> {
    this.#end.abort();
    const bytes = await this.#done;
    return { digest: this.#hash.digest('hex'), bytes, longestMs: this.#longestMs };
  }
}

const digestOf = async (root: number, name = 'recording'): Promise<string> =>
  createHash('sha256')
    .update(await readFile(`/proc/self/fd/${root}/dvr/${name}`))
    .digest('hex');

await describeEngines('growing', (engine) => {
  let place: Place;
  let helper: Helper;
  before(async () => {
    place = await Place.make();
    helper = await place.helper();
  });
  after(() => place.destroy());

  const journal = (name: string): string => path.join(place.storage, 'containers', `.${name}.luks.growing`);
  const grow = async (name: string, to: number, by = helper): Promise<GrowReport> =>
    (await by.client.call({ verb: 'grow', name, size: to })).result;
  const openVolume = async (name: string, by = helper): Promise<number> =>
    (await by.client.call(openRequest(engine, { name }))).fd;
  const lock = (name: string, by = helper): Promise<unknown> => by.client.call({ verb: 'lock', name });

  /** Waits until nothing is left: a block plane has let go of everything a moment before its process is gone. */
  const left = async (): Promise<void> => {
    for (let round = 0; round < 100 && (await place.leftovers()).processes.length > 0; round += 1) await sleep(20);
    assert.deepEqual(await place.leftovers(), none);
  };

  /** Bytes of the filesystem of an open volume. */
  const filesystemSize = async (name: string, by = helper): Promise<number> => {
    const { result } = await by.client.call({ verb: 'inspect', name, descriptor: false });
    const { stdout } = await run('dumpe2fs', ['-h', result.device ?? ''], quiet);
    const [, blocks] = /^Block count: +(\d+)$/m.exec(stdout.toString()) ?? [];
    return Number(blocks) * 4096;
  };

  /** Open: every layer has the size, nothing is left of the grow; then locked, and the filesystem is whole from end to end. */
  const proveGrown = async (name: string, to: number, by = helper): Promise<void> => {
    const { result } = await by.client.call({ verb: 'inspect', name, descriptor: false });
    assert.deepEqual([result.state, result.size, result.growing], ['open', to, null]);
    assert.equal(existsSync(journal(name)), false);
    assert.equal(existsSync(`${journal(name)}.new`), false);
    const file = await stat(place.container(name));
    assert.ok(file.blocks * 512 >= to, 'the container has holes');
    const device = Number((await run('blockdev', ['--getsize64', result.device ?? ''], quiet)).stdout);
    assert.ok(device <= to - 2 * MiB && device >= to - 16 * MiB, `a device of ${device} bytes`);
    assert.equal(await filesystemSize(name, by), device - (device % 4096));
    await lock(name, by);
    await left();
    closeSync(await openVolume(name, by));
    const again = await by.client.call({ verb: 'inspect', name, descriptor: false });
    const at = again.result.mountPoint;
    await run('umount', [at], quiet);
    await run('e2fsck', ['-f', '-n', again.result.device ?? ''], quiet);
    await lock(name, by);
  };

  /** Grows an open volume to its end: where it cannot grow in use, it is locked and opened in between. The descriptor is of the root. */
  const finish = async (name: string, to: number): Promise<number> => {
    const { grown, growing } = await grow(name, to);
    if (grown.filesystem === 'grown') return openVolume(name);
    assert.equal(online, false);
    assert.match(grown.reason ?? '', /CAP_SYS_RESOURCE/);
    assert.deepEqual(growing, { from: grown.from, to });
    await lock(name);
    const fd = await openVolume(name);
    assert.equal((await grow(name, to)).grown.filesystem, 'grown');
    return fd;
  };

  for (const [name, type] of [
    ['two', 'luks2'],
    ['one', 'luks1'],
  ] as const) {
    test(`a ${type} volume grows while it is recorded into, and every byte is right`, async (t) => {
      const { fd, result } = await helper.client.call(createRequest(engine, { name, type, open: true }));
      const recording = new Recording(fd);
      while (recording.written < 2 * MiB) await sleep(10);
      const began = recording.written;
      const report = await grow(name, 3 * size);
      assert.equal(report.state, 'open');
      assert.deepEqual([report.grown.from, report.grown.to, report.device], [size, 3 * size, result.device]);
      assert.equal(report.grown.filesystem, online ? 'grown' : 'at-open');
      assert.ok(recording.written > began, 'recording stood still while the volume grew');
      const { digest, bytes, longestMs } = await recording.end();
      t.diagnostic(`${bytes} bytes, longest durable write ${Math.round(longestMs)} ms`);
      assert.equal(await digestOf(fd), digest);
      closeSync(fd);
      const after = await finish(name, 3 * size);
      assert.equal(await digestOf(after), digest);
      // What was not there before takes data.
      const file = await open(`/proc/self/fd/${after}/dvr/large`, 'w');
      const large = randomBytes(MiB);
      for (let written = 0; written < 100; written += 1) await file.write(large);
      await file.datasync();
      await file.close();
      closeSync(after);
      await proveGrown(name, 3 * size);
      const read = await openVolume(name);
      assert.equal(await digestOf(read), digest);
      closeSync(read);
      await lock(name);
    });
  }

  test('the same size again changes nothing, a smaller one is refused and told why', async () => {
    closeSync(await openVolume('two'));
    const { ino, mtimeMs } = await stat(place.container('two'));
    const again = await grow('two', 3 * size);
    assert.deepEqual([again.grown.filesystem, again.growing, again.state], ['grown', null, 'open']);
    await lock('two');
    assert.equal((await grow('two', 3 * size)).grown.filesystem, 'grown');
    assert.equal(existsSync(journal('two')), false);
    assert.equal((await stat(place.container('two'))).ino, ino);
    assert.ok(mtimeMs > 0);
    await assert.rejects(grow('two', 2 * size), (error: ReelError) => {
      assert.equal(error.code, 'invalid-argument');
      assert.match(
        error.message,
        /at least 184549376 bytes \(176 MiB\) net.*got 117440512 bytes \(112 MiB\) net.*never shrinks.*copy the recordings/,
      );
      return true;
    });
    assert.equal((await stat(place.container('two'))).size, 3 * size);
    await assert.rejects(grow('two', 3 * size + 512), { code: 'invalid-argument' });
    await assert.rejects(grow('nobody', size), { code: 'not-found' });
  });

  test('a locked volume gets a larger container, and the rest at its next open', async () => {
    const name = 'locked';
    await helper.client.call(createRequest(engine, { name }));
    const report = await grow(name, 2 * size);
    assert.deepEqual(
      [report.state, report.grown.filesystem, report.grown.reason],
      ['locked', 'at-open', 'the volume is locked'],
    );
    assert.deepEqual([report.size, report.growing], [2 * size, { from: size, to: 2 * size }]);
    await assert.rejects(grow(name, 2 * size - 4096), { code: 'invalid-argument' });
    const fd = await openVolume(name);
    closeSync(fd);
    assert.equal((await grow(name, 2 * size)).grown.filesystem, 'grown');
    await proveGrown(name, 2 * size);
  });

  test('a payload whose size the header fixes is refused before anything is touched', async () => {
    const name = 'fixed';
    await helper.client.call(createRequest(engine, { name }));
    await editLuks2(place.container(name), ({ segments }) => {
      for (const segment of Object.values(segments)) segment.size = String(size - 16 * MiB);
    });
    for (const state of ['locked', 'open']) {
      if (state === 'open') closeSync(await openVolume(name));
      await assert.rejects(grow(name, 2 * size), { code: 'luks-unsupported' });
      assert.equal((await stat(place.container(name))).size, size);
      assert.equal(existsSync(journal(name)), false);
    }
    await lock(name);
  });

  const layers = engine === 'userspace' ? ['plane', 'loop'] : ['loop', 'mapping'];
  const steps = ['checked', 'journalled', 'allocated', 'lengthened', ...layers, 'device', 'filesystem'];
  const last = online ? ['verified', 'done'] : [];

  for (const step of shorter([...steps, ...last], 4)) {
    test(`open, killed after "${step}": the volume goes on, and the same call again finishes`, async () => {
      const name = `open-${step}`;
      const created = await helper.client.call(createRequest(engine, { name, open: true }));
      await helper.stop();
      const recording = new Recording(created.fd);
      const dying = await place.helper({ crashAfter: `grow-${step}` });
      await assert.rejects(grow(name, 2 * size, dying), { code: 'helper-unavailable' });
      assert.equal(await dying.ended, 'SIGKILL');
      helper = await place.helper();
      const { result, fd: root } = await helper.client.call({ verb: 'inspect', name, descriptor: true });
      closeSync(root);
      assert.equal(result.state, 'open');
      const known = step === 'checked' || step === 'done' ? null : { from: size, to: 2 * size };
      assert.deepEqual(result.growing, known);
      const { digest } = await recording.end();
      closeSync(created.fd);
      const fd = await finish(name, 2 * size);
      assert.equal(await digestOf(fd), digest);
      closeSync(fd);
      await proveGrown(name, 2 * size);
    });
  }

  for (const step of shorter(['checked', 'journalled', 'allocated', 'lengthened'], 4)) {
    test(`locked, killed after "${step}": the volume opens, and the same call finishes`, async () => {
      const name = `locked-${step}`;
      await helper.client.call(createRequest(engine, { name }));
      await helper.stop();
      const dying = await place.helper({ crashAfter: `grow-${step}` });
      await assert.rejects(grow(name, 2 * size, dying), { code: 'helper-unavailable' });
      assert.equal(await dying.ended, 'SIGKILL');
      helper = await place.helper();
      // A length between the two would be no whole sectors, and nobody could open it.
      assert.ok([size, 2 * size].includes((await stat(place.container(name))).size));
      closeSync(await openVolume(name));
      closeSync(await finish(name, 2 * size));
      await proveGrown(name, 2 * size);
    });
  }

  test('a host without room refuses at once, one that fills up meanwhile gets its blocks back; the volume goes on', async () => {
    const inner = await Place.make();
    const image = path.join(inner.root, 'host');
    const at = path.join(inner.root, 'storage');
    let small: Helper | undefined;
    let device = '';
    try {
      await run('fallocate', ['--length', String(224 * MiB), image], quiet);
      await run('mke2fs', ['-q', '-t', 'ext4', '-m', '0', image], quiet);
      device = (await run('losetup', ['--find', '--show', image], quiet)).stdout.toString().trim();
      await run('mount', [device, at], quiet);
      await mkdir(inner.runtime, { recursive: true });
      const command = `fallocate --length 80M '${path.join(at, 'filler')}'`;
      small = await inner.helper({ commandAfter: { step: 'grow-journalled', command } });
      const name = 'v';
      const { fd } = await small.client.call(createRequest(engine, { name, open: true }));
      const container = inner.container(name);
      const before = (await stat(container)).blocks;
      const growing = path.join(path.dirname(container), '.v.luks.growing');
      const unchanged = async (): Promise<void> => {
        const { size: bytes, blocks } = await stat(container);
        assert.deepEqual([bytes, blocks, existsSync(growing)], [size, before, false]);
      };
      const room = async (): Promise<number> => {
        const { bavail, bsize } = await statfs(at);
        return bavail * bsize;
      };
      await assert.rejects(grow(name, 16 * size, small), { code: 'no-space' });
      await unchanged();
      const free = await room();
      const recording = new Recording(fd);
      // There is room when it is looked, and none when it is taken.
      await assert.rejects(grow(name, 2 * size, small), (error: ReelError) => {
        assert.deepEqual([error.code, error.row.retryable], ['no-space', true]);
        return true;
      });
      await unchanged();
      assert.ok((await room()) > free - 84 * MiB, 'blocks beyond the end stayed');
      const { digest, bytes } = await recording.end();
      assert.ok(bytes > 0);
      assert.equal(await digestOf(fd), digest);
      closeSync(fd);
      const { result } = await small.client.call({ verb: 'inspect', name, descriptor: false });
      assert.deepEqual([result.state, result.growing], ['open', null]);
      await lock(name, small);
    } finally {
      await small?.stop();
      for (const point of (await inner.leftovers()).mounts.toReversed()) {
        await run('umount', [point], { ...quiet, okCodes: [0, 1, 32] });
      }
      if (device !== '') await run('losetup', ['--detach', device], quiet);
      await inner.destroy();
    }
  });

  if (engine === 'userspace') {
    for (const step of ['journalled', 'lengthened', 'plane', 'device']) {
      test(`the block plane killed after "${step}": the next open and the same call finish`, async () => {
        const name = `plane-${step}`;
        const { fd, result } = await helper.client.call(createRequest(engine, { name, open: true }));
        await writeFile(`/proc/self/fd/${fd}/dvr/x`, 'kept');
        await run('sync', ['--file-system', result.mountPoint], quiet);
        closeSync(fd);
        await helper.stop();
        const command = `kill -9 ${result.blockPid}`;
        const dying = await place.helper({ commandAfter: { step: `grow-${step}`, command } });
        // Growing the device finds out; after that only the filesystem does, where it grows in use.
        if (step !== 'device' || online) await assert.rejects(grow(name, 2 * size, dying));
        else await grow(name, 2 * size, dying).catch(() => undefined);
        const { result: found } = await dying.client.call({ verb: 'inspect', name, descriptor: false });
        assert.deepEqual([found.state, found.problem?.code], ['stale', 'block-plane-died']);
        await assert.rejects(grow(name, 2 * size, dying), { code: 'volume-state' });
        await dying.stop();
        helper = await place.helper();
        closeSync(await openVolume(name));
        const after = await finish(name, 2 * size);
        assert.equal(await readFile(`/proc/self/fd/${after}/dvr/x`, 'utf8'), 'kept');
        closeSync(after);
        await proveGrown(name, 2 * size);
      });
    }
  }
});
