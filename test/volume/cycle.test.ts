/** Create, open, write, lock, open, read: with every engine of this machine, through a real helper process. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { ReelError } from '../../src/errors.ts';
import { run } from '../../src/exec/run.ts';
import { Luks } from '../../src/luks/luks.ts';
import { createRequest, describeEngines, type Helper, openRequest, Place, service, size } from '../helper/harness.ts';

const ownNamespace = path.resolve(import.meta.dirname, '../../fixtures/launcher/own-namespace.sh');

const none = { loops: [], mounts: [], processes: [] };
const passphrase = (): Buffer => Buffer.from('correct horse');

await describeEngines('volume life', (engine) => {
  let place: Place;
  let helper: Helper;
  before(async () => {
    place = await Place.make();
    helper = await place.helper();
  });
  after(() => place.destroy());

  test('create → open → write → lock → open → read; nothing is left after a lock', async () => {
    const { client } = helper;
    const created = await client.call(createRequest(engine));
    assert.equal(created.fd, -1);
    const { uuid, keyFile } = created.result;
    assert.equal(created.result.state, 'locked');
    assert.deepEqual(
      [created.result.cipher, created.result.keyBits, created.result.sectorSize, created.result.type],
      ['aes-xts-plain64', 512, 4096, 'luks2'],
    );
    assert.deepEqual(await place.leftovers(), none);

    const opened = await client.call(openRequest(engine));
    assert.equal(opened.result.state, 'open');
    assert.equal(opened.result.engine, engine);
    assert.equal(opened.result.uuid, uuid);
    assert.equal(opened.result.directIo, true);
    const queue = `/sys/block/${path.basename(opened.result.device ?? '')}/queue/rq_affinity`;
    if (engine === 'userspace') assert.equal(await readFile(queue, 'utf8'), '2\n', 'completed where they were made');
    assert.ok(opened.fd >= 0);
    await writeFile(`/proc/self/fd/${opened.fd}/dvr/marker`, 'plaintext marker 4711');
    const identity = await readFile(`/proc/self/fd/${opened.fd}/.reelvault/volume.json`, 'utf8');
    assert.deepEqual(JSON.parse(identity), { layout: 1, uuid, name: 'v' });
    closeSync(opened.fd);

    const locked = await client.call({ verb: 'lock', name: 'v' });
    assert.deepEqual([locked.result.state, locked.result.flushError], ['locked', null]);
    assert.deepEqual(await place.leftovers(), none);
    assert.equal((await readFile(place.container('v'))).includes('plaintext marker 4711'), false);
    assert.deepEqual(await readdir(path.join(place.mounts, 'v')), []);

    const again = await client.call(openRequest(engine, uuid === null ? {} : { uuid }));
    assert.equal(await readFile(`/proc/self/fd/${again.fd}/dvr/marker`, 'utf8'), 'plaintext marker 4711');
    closeSync(again.fd);
    await client.call({ verb: 'lock', name: 'v' });
    assert.equal(keyFile, path.join(place.storage, 'keys/v.key'));
  });

  test('files of a created volume: modes, full allocation, a usable header backup, an immutable mount point', async () => {
    const { result } = await helper.client.call({ verb: 'inspect', name: 'v', descriptor: false });
    const key = await stat(result.keyFile ?? '');
    assert.deepEqual([key.mode & 0o7777, key.uid, key.size], [0o400, 0, 64]);
    assert.equal((await stat(path.dirname(result.keyFile ?? ''))).mode & 0o7777, 0o700);
    const container = await stat(place.container('v'));
    assert.deepEqual([container.mode & 0o7777, container.size], [0o600, size]);
    assert.ok(container.blocks * 512 >= size, 'the container has holes');
    const backups = await readdir(path.join(place.storage, 'headers'));
    assert.deepEqual([backups.length, backups[0]?.startsWith(`${result.uuid}.`)], [1, true]);
    const backup = path.join(place.storage, 'headers', backups[0] ?? '');
    assert.equal((await stat(backup)).mode & 0o7777, 0o400);
    assert.equal((await new Luks().dump(backup)).uuid, result.uuid);
    await assert.rejects(writeFile(path.join(place.mounts, 'v', 'stray'), 'x'), { code: 'EPERM' });
  });

  test('the mount options forbid programs, devices and set-uid files', async () => {
    const { result, fd } = await helper.client.call(openRequest(engine));
    closeSync(fd);
    const line = (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .find((each) => each.includes(result.mountPoint));
    for (const option of ['nosuid', 'nodev', 'noexec', 'noatime'])
      assert.match(line ?? '', new RegExp(`\\b${option}\\b`));
    assert.doesNotMatch(line ?? '', /\bdiscard\b/);
    await helper.client.call({ verb: 'lock', name: 'v' });
  });

  test('the descriptor serves a user who cannot walk to the mount point', async () => {
    const { fd, result } = await helper.client.call(openRequest(engine));
    const as = async (file: string): Promise<number> => {
      const child = spawn('cat', [file], { ...service, cwd: '/', stdio: ['ignore', 'ignore', 'ignore', fd] });
      return (await once(child, 'exit'))[0] as number;
    };
    assert.equal(await as('/proc/self/fd/3/dvr/marker'), 0);
    assert.equal(await as(path.join(result.mountPoint, 'dvr/marker')), 1);
    closeSync(fd);
    await helper.client.call({ verb: 'lock', name: 'v' });
  });

  test('open and lock are idempotent, also when called at once', async () => {
    const opens = await Promise.all([1, 2, 3].map(() => helper.client.call(openRequest(engine))));
    const devices = new Set(opens.map(({ result }) => result.device));
    assert.equal(devices.size, 1);
    for (const { fd } of opens) closeSync(fd);
    const locks = await Promise.all([1, 2, 3].map(() => helper.client.call({ verb: 'lock', name: 'v' })));
    assert.deepEqual(new Set(locks.map(({ result }) => result.state)), new Set(['locked']));
    assert.deepEqual(await place.leftovers(), none);
  });

  test('a lock of a busy volume fails, names the holder, and leaves the volume as it was', async () => {
    const { fd, result } = await helper.client.call(openRequest(engine));
    closeSync(fd);
    const holder = spawn('sleep', ['600'], { cwd: path.join(result.mountPoint, 'dvr') });
    await once(holder, 'spawn');
    try {
      await assert.rejects(helper.client.call({ verb: 'lock', name: 'v' }), (error: ReelError) => {
        assert.equal(error.code, 'volume-busy');
        const holders = error.details.holders as { pid: number; command: string; how: string; path: string }[];
        const at = path.join(result.mountPoint, 'dvr');
        assert.deepEqual(
          holders.map(({ pid, command, how, path: where }) => [pid, command, how, where]),
          [[holder.pid, 'sleep 600', 'directory', at]],
        );
        return true;
      });
      const asked = await helper.client.call({ verb: 'holders', name: 'v' });
      assert.deepEqual(
        asked.result.holders.map(({ pid }) => pid),
        [holder.pid],
      );
      const { result: after } = await helper.client.call({ verb: 'inspect', name: 'v', descriptor: false });
      assert.equal(after.state, 'open');
    } finally {
      holder.kill('SIGKILL');
      await once(holder, 'exit');
    }
    await helper.client.call({ verb: 'lock', name: 'v' });
    assert.deepEqual(await place.leftovers(), none);
  });

  test('copies of the mount in other namespaces: idle ones go along, one in use is a holder', async () => {
    const { client } = helper;
    const { fd, result } = await client.call(openRequest(engine));
    closeSync(fd);
    const elsewhere = async (text: string) => {
      const args = [ownNamespace, 'bash', '-c', `${text}; echo ready; read -r`];
      const child = spawn('sh', args, { stdio: ['pipe', 'pipe', 'inherit'] });
      await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => assert.fail('it ended early'))]);
      const end = async (): Promise<void> => {
        child.kill('SIGKILL');
        await once(child, 'exit');
      };
      return { pid: child.pid, end };
    };
    const idle = await elsewhere('true');
    const user = await elsewhere(`cd '${path.join(result.mountPoint, 'dvr')}'`);
    try {
      await assert.rejects(client.call({ verb: 'lock', name: 'v' }), (error: ReelError) => {
        const holders = error.details.holders as { pid: number }[];
        assert.deepEqual([error.code, holders.map(({ pid }) => pid)], ['volume-busy', [user.pid]]);
        return true;
      });
      const { result: still } = await client.call({ verb: 'inspect', name: 'v', descriptor: false });
      assert.equal(still.state, 'open');
      await user.end();
      assert.equal((await client.call({ verb: 'lock', name: 'v' })).result.state, 'locked');
      assert.deepEqual(await place.leftovers(), none);
    } finally {
      await idle.end();
    }
  });

  test('passphrases: the right one opens, a wrong one and an empty one do not, and leave nothing', async () => {
    const { client } = helper;
    const request = createRequest(engine, { name: 'phrase', key: 'passphrase' });
    await client.call(request, passphrase());
    assert.equal(existsSync(path.join(place.storage, 'keys/phrase.key')), false);
    const open = openRequest(engine, { name: 'phrase', key: 'passphrase' });
    await assert.rejects(client.call(open, Buffer.from('wrong horse')), { code: 'wrong-key' });
    await assert.rejects(client.call(open), { code: 'invalid-argument' });
    assert.deepEqual(await place.leftovers(), none);
    const { fd, result } = await client.call(open, passphrase());
    assert.equal(result.state, 'open');
    closeSync(fd);
    await client.call({ verb: 'lock', name: 'phrase' });
  });

  test('LUKS1', async () => {
    const created = await helper.client.call(createRequest(engine, { name: 'old', type: 'luks1', open: true }));
    assert.deepEqual([created.result.type, created.result.state, created.result.sectorSize], ['luks1', 'open', 512]);
    closeSync(created.fd);
    await helper.client.call({ verb: 'lock', name: 'old' });
    const { fd } = await helper.client.call(openRequest(engine, { name: 'old' }));
    closeSync(fd);
    await helper.client.call({ verb: 'lock', name: 'old' });
  });

  test('two volumes at once', async () => {
    const names = ['a', 'b'];
    const create = names.map((name) => helper.client.call(createRequest(engine, { name, open: true })));
    for (const { result, fd } of await Promise.all(create)) {
      await writeFile(`/proc/self/fd/${fd}/dvr/name`, result.name);
      closeSync(fd);
    }
    await Promise.all(names.map((name) => helper.client.call({ verb: 'lock', name })));
    assert.deepEqual(await place.leftovers(), none);
    const opened = await Promise.all(names.map((name) => helper.client.call(openRequest(engine, { name }))));
    for (const { result, fd } of opened) {
      assert.equal(await readFile(`/proc/self/fd/${fd}/dvr/name`, 'utf8'), result.name);
      closeSync(fd);
    }
    await Promise.all(names.map((name) => helper.client.call({ verb: 'lock', name })));
    assert.deepEqual(await place.leftovers(), none);
  });

  test('inspect sees what is there, and an open volume outlives its helper', async () => {
    const { client } = helper;
    const inspect = async (name: string) => client.call({ verb: 'inspect', name, descriptor: true });
    assert.equal((await inspect('nobody')).result.state, 'absent');
    assert.deepEqual([(await inspect('v')).result.state, (await inspect('v')).fd], ['locked', -1]);
    const { fd } = await client.call(openRequest(engine));
    closeSync(fd);
    await helper.stop();
    await assert.rejects(inspect('v'), { code: 'helper-unavailable' });
    helper = await place.helper();
    const adopted = await inspect('v');
    assert.equal(adopted.result.state, 'open');
    assert.equal(await readFile(`/proc/self/fd/${adopted.fd}/dvr/marker`, 'utf8'), 'plaintext marker 4711');
    closeSync(adopted.fd);
    await client.call({ verb: 'lock', name: 'v' });
  });

  test('the filesystem is clean and its inode tables are written', async () => {
    const { fd, result } = await helper.client.call(createRequest(engine, { name: 'fresh', open: true }));
    const { stdout } = await run('dumpe2fs', [result.device ?? ''], { timeoutMs: 30_000 });
    closeSync(fd);
    assert.match(stdout.toString(), /Reserved block count: +0\n/);
    assert.doesNotMatch(stdout.toString(), /INODE_UNINIT(?!.*ITABLE_ZEROED)/);
    await helper.client.call({ verb: 'lock', name: 'fresh' });
  });
});
