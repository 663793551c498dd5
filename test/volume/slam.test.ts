/** Locking by force: who is ended, who is spared, and a block plane that hangs. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReelError } from '../../src/errors.ts';
import type { SlamAct } from '../../src/helper/protocol/slam.ts';
import { createRequest, describeEngines, type Helper, openRequest, Place } from '../helper/harness.ts';

const none = { loops: [], mounts: [], processes: [] };

await describeEngines('slam', (engine) => {
  let place: Place;
  let helper: Helper;
  let root: string;
  const children: ChildProcess[] = [];
  before(async () => {
    place = await Place.make();
    helper = await place.helper();
    closeSync((await helper.client.call(createRequest(engine, { open: true }))).fd);
    await helper.client.call({ verb: 'lock', name: 'v' });
    root = path.join(place.mounts, 'v');
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });
  after(() => place.destroy());

  const open = async (): Promise<number> => {
    const { result, fd } = await helper.client.call(openRequest(engine));
    closeSync(fd);
    return result.blockPid ?? 0;
  };

  /** A shell that says when it is ready. */
  const shell = async (script: string, cwd = '/'): Promise<ChildProcess> => {
    const text = `${script}; echo ready; while :; do sleep 0.05; done`;
    const child = spawn('bash', ['-c', text], { cwd, stdio: ['ignore', 'pipe', 'ignore'] });
    children.push(child);
    await once(child.stdout, 'data');
    return child;
  };

  const slam = async (deadlineMs: number): Promise<readonly SlamAct[]> => {
    const { result } = await helper.client.call({ verb: 'slam', name: 'v', deadlineMs });
    assert.equal(result.state, 'locked');
    assert.deepEqual(await place.leftovers(), none);
    return result.acts;
  };

  const actsOn = (acts: readonly SlamAct[], child: ChildProcess): string[] =>
    acts.filter(({ pid }) => pid === child.pid).map(({ act }) => act);

  test('TERM for whoever heeds it, KILL after the deadline for who does not; nobody else is touched', async () => {
    await open();
    const willing = await shell(`exec 7> '${root}/dvr/a'`);
    const deaf = await shell(`trap '' TERM; cd '${root}'`);
    const stopped = await shell('true', root);
    stopped.kill('SIGSTOP');
    const unrelated = await shell('true');
    await assert.rejects(helper.client.call({ verb: 'lock', name: 'v' }), (error: ReelError) => {
      assert.equal(error.code, 'volume-busy');
      assert.match(error.message, /slam/);
      return true;
    });
    const acts = await slam(500);
    assert.deepEqual(actsOn(acts, willing), ['term']);
    assert.deepEqual(actsOn(acts, deaf), ['term', 'kill']);
    assert.deepEqual(actsOn(acts, stopped), ['term', 'kill']);
    assert.deepEqual(actsOn(acts, unrelated), []);
    assert.deepEqual([willing.signalCode, deaf.signalCode, stopped.signalCode], ['SIGTERM', 'SIGKILL', 'SIGKILL']);
    assert.equal(unrelated.exitCode ?? unrelated.signalCode, null);
    assert.ok(acts.some(({ act, target }) => act === 'unmount' && target === root));
    assert.ok(!acts.some(({ act }) => act === 'unmount-lazily' || act === 'abort'));
  });

  test('the process that asks is spared and told of; the mount goes lazily, and the rest when it lets go', async () => {
    await open();
    const fd = openSync(path.join(root, '.reelvault', 'volume.json'), 'r');
    try {
      const failed = await helper.client
        .call({ verb: 'slam', name: 'v', deadlineMs: 0 })
        .catch((error: unknown) => error);
      const { code, details } = failed as ReelError;
      assert.equal(code, 'volume-busy');
      const acts = details.acts as SlamAct[];
      assert.deepEqual(
        acts.map(({ act, pid }) => [act, pid]),
        [
          ['spared', process.pid],
          ['unmount-lazily', null],
        ],
      );
    } finally {
      closeSync(fd);
    }
    await slam(0);
  });

  test('leases go with their consumers', async () => {
    await open();
    const lease = { consumer: 'rec', path: 'consumers/rec', readOnly: false, uid: 64_200, gid: 64_200 };
    const { result } = await helper.client.call({ verb: 'lease-add', name: 'v', ...lease });
    const consumer = await shell(`exec 7> '${result.mountPoint}/a'`);
    const acts = await slam(2000);
    assert.deepEqual(actsOn(acts, consumer), ['term']);
    const unmounted = acts.filter(({ act }) => act === 'unmount').map(({ target }) => target);
    assert.deepEqual(unmounted, [result.mountPoint, root]);
  });

  test('a volume that is locked already', async () => {
    assert.deepEqual(await slam(0), []);
  });

  if (engine !== 'userspace') return;

  test('a block plane that is stopped: its writers hang in the kernel, and are free after the abort', async () => {
    const blockPid = await open();
    const script = `trap '' TERM; exec 7> '${root}/dvr/b'; echo ready; read -r; exec dd if=/dev/zero bs=4096 count=1 conv=fsync of='${root}/dvr/b' status=none`;
    const writer = spawn('bash', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] });
    children.push(writer);
    await once(writer.stdout, 'data');
    process.kill(blockPid, 'SIGSTOP');
    writer.stdin.end('go\n');
    while (!(await readFile(`/proc/${writer.pid}/stat`, 'utf8')).includes(') D ')) await sleep(10);
    const acts = await slam(300);
    assert.ok(actsOn(acts, writer).includes('kill'), JSON.stringify(acts));
    if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
    const aborted = acts.filter(({ act }) => act === 'abort').map(({ target }) => target);
    assert.ok(
      aborted.some((target) => target.includes(String(blockPid))),
      JSON.stringify(acts),
    );
    await open();
    assert.equal((await helper.client.call({ verb: 'lock', name: 'v' })).result.state, 'locked');
  });
});
