/** `volume lease add | list | remove` against a real service. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestService } from './service.ts';
import { refusesWrongUses, type WrongUse } from './wrong-uses.ts';

interface Lease {
  readonly consumer: string;
  readonly path: string;
  readonly readOnly: boolean;
  readonly uid: number;
  readonly gid: number;
  readonly persistent: boolean;
  readonly state: string;
  readonly mountPoint: string | null;
}

const json = (text: string): Record<string, unknown> => JSON.parse(text);
const errorOf = (text: string) => json(text).error as { code: string; details: Record<string, unknown> };

describe('volume lease', { timeout: 1_200_000 }, () => {
  let service: TestService;
  before(async () => {
    service = await TestService.create();
    await service.start();
    const made = await service.run(['volume', 'create', 'main', '--size', '64M']);
    assert.equal(made.code, 0, made.stderr);
  });
  after(() => service.destroy(['main']));

  const lease = (...args: string[]) => service.run(['volume', 'lease', ...args]);
  const leases = async (): Promise<Lease[]> => {
    const { code, stdout, stderr } = await lease('list', 'main', '--json');
    assert.equal(code, 0, stderr);
    return json(stdout).leases as Lease[];
  };
  const point = (consumer: string): string => `${service.base}/storage/leases/main/${consumer}`;

  test('none yet: a head without rows, an empty list', async () => {
    assert.match(
      (await lease('list', 'main')).stdout,
      /^CONSUMER +STATE +PATH +ACCESS +ACCOUNT +PERSISTENT +MOUNT POINT\n$/,
    );
    assert.deepEqual(await leases(), []);
  });

  test('add: a directory of its own for an account by its name; the answer is where it lies', async () => {
    const made = await lease('add', 'main', 'rtmp', '--user', 'daemon');
    assert.deepEqual([made.code, made.stdout], [0, `${point('rtmp')}\n`], made.stderr);
    assert.deepEqual(await readdir(point('rtmp')), []);
    const again = await lease('add', 'main', 'rtmp', '--user', 'daemon', '--json');
    assert.equal(again.code, 0, 'the same again is its own answer');
    const { consumer, path, readOnly, persistent, state, mountPoint } = json(again.stdout) as unknown as Lease;
    assert.deepEqual(
      { consumer, path, readOnly, persistent, state, mountPoint },
      {
        ...{ consumer: 'rtmp', path: 'consumers/rtmp', readOnly: false, persistent: true, state: 'mounted' },
        mountPoint: point('rtmp'),
      },
    );
  });

  test('add: the recordings, read-only, until the volume is locked, for an account by numbers', async () => {
    const args = ['--read-only', '--once', '--uid', '64200', '--gid', '64201', '--json'];
    const made = await lease('add', 'main', 'nginx', ...args);
    assert.equal(made.code, 0, made.stderr);
    const { path, readOnly, uid, gid, persistent } = json(made.stdout) as unknown as Lease;
    assert.deepEqual([path, readOnly, uid, gid, persistent], ['dvr', true, 64200, 64201, false]);
    // A number wins over the account.
    const mixed = await lease('add', 'main', 'mixed', '--user', 'daemon', '--gid', '64201', '--json');
    assert.equal((json(mixed.stdout) as unknown as Lease).gid, 64201);
    assert.equal((await lease('remove', 'main', 'mixed')).code, 0);
  });

  test('list: for people', async () => {
    const { stdout } = await lease('list', 'main');
    assert.match(stdout, new RegExp(`^nginx +mounted +dvr +read-only +64200:64201 +no +${point('nginx')}$`, 'm'));
    assert.match(
      stdout,
      new RegExp(`^rtmp +mounted +consumers/rtmp +writable +\\d+:\\d+ +yes +${point('rtmp')}$`, 'm'),
    );
  });

  test('another lease of the same consumer is refused, and the volume does not lock under one', async () => {
    const other = await lease('add', 'main', 'rtmp', '--user', 'daemon', '--read-only', '--json');
    assert.deepEqual([other.code, errorOf(other.stderr).code], [5, 'already-exists']);
    const locked = await service.run(['volume', 'lock', 'main', '--json']);
    assert.deepEqual([locked.code, errorOf(locked.stderr).code], [5, 'volume-busy']);
  });

  test('remove: refused while the consumer uses it, who is named; then it is gone', async () => {
    const consumer = spawn('sleep', ['600'], { cwd: point('rtmp'), stdio: 'ignore' });
    await once(consumer, 'spawn');
    try {
      const busy = await lease('remove', 'main', 'rtmp');
      assert.equal(busy.code, 5, busy.stderr);
      assert.match(busy.stderr, new RegExp(`^${consumer.pid} +root .*sleep 600$`, 'm'));
      const inJson = await lease('remove', 'main', 'rtmp', '--json');
      const { code, details } = errorOf(inJson.stderr);
      assert.equal(code, 'volume-busy');
      assert.ok((details.holders as { pid: number }[]).some(({ pid }) => pid === consumer.pid));
    } finally {
      const ended = once(consumer, 'exit');
      consumer.kill('SIGKILL');
      await ended;
    }
    const gone = await lease('remove', 'main', 'rtmp', '--json');
    assert.deepEqual(json(gone.stdout), { volume: 'main', consumer: 'rtmp', removed: true });
    const again = await lease('remove', 'main', 'rtmp');
    assert.deepEqual([again.code, again.stdout], [0, 'rtmp: there is no such lease\n']);
    assert.equal(json((await lease('remove', 'main', 'rtmp', '--json')).stdout).removed, false);
    assert.deepEqual(
      (await leases()).map(({ consumer: name }) => name),
      ['nginx'],
    );
    assert.deepEqual((await lease('remove', 'main', 'nginx')).stdout, 'nginx: lease ended\n');
  });

  test('one that is kept waits while the volume is locked and is mounted again; one for once is gone', async () => {
    for (const args of [['kept'], ['once', '--once']]) {
      assert.equal((await lease('add', 'main', ...args, '--user', 'daemon')).code, 0);
    }
    assert.equal((await service.run(['volume', 'lock', 'main', '--drain'])).code, 0);
    assert.deepEqual(
      (await leases()).map(({ consumer, state, mountPoint }) => [consumer, state, mountPoint]),
      [['kept', 'waiting', null]],
    );
    assert.deepEqual(await readdir(path.dirname(point('kept'))), ['kept'], 'no mount point without a lease');
    const refused = await lease('add', 'main', 'late', '--user', 'daemon', '--json');
    assert.deepEqual([refused.code, errorOf(refused.stderr).code], [5, 'volume-state']);
    assert.equal((await service.run(['volume', 'open', 'main'])).code, 0);
    assert.deepEqual(
      (await leases()).map(({ consumer, state }) => [consumer, state]),
      [['kept', 'mounted']],
    );
  });

  test('after a lock by force the mount point of one for once goes with the next open', async () => {
    assert.equal((await lease('add', 'main', 'once', '--once', '--user', 'daemon')).code, 0);
    assert.equal((await service.run(['volume', 'lock', 'main', '--slam', '--deadline', '1s'])).code, 0);
    assert.equal((await service.run(['volume', 'open', 'main'])).code, 0);
    assert.deepEqual(await readdir(path.dirname(point('kept'))), ['kept']);
    assert.deepEqual(
      (await leases()).map(({ consumer, state }) => [consumer, state]),
      [['kept', 'mounted']],
    );
  });

  const wrongUses: WrongUse[] = [
    [['add', 'main'], 2, /missing required argument/],
    [['add', 'main', 'x'], 2, /--user, or --uid and --gid/],
    [['add', 'main', 'x', '--uid', '5'], 2, /--user, or --uid and --gid/],
    [['add', 'main', 'x', '--uid', 'five', '--gid', '5'], 2, /a number/],
    [['add', 'main', 'x', '--uid', '0', '--gid', '5'], 2, /invalid-argument/],
    [['add', 'main', 'x', '--user', 'root'], 2, /invalid-argument/],
    [['add', 'main', 'x', '--user', 'no-such-account'], 4, /not-found/],
    [['add', 'main', '../x', '--user', 'daemon'], 2, /invalid-argument/],
    [['add', 'main', 'x', '--user', 'daemon', '--path', '../..'], 3, /path-outside/],
    [['add', 'main', 'x', '--user', 'daemon', '--path', 'dvr'], 3, /forbidden/],
    [['add', 'main', 'x', '--user', 'daemon', '--path', 'none', '--read-only'], 4, /not-found/],
    [['add', 'none', 'x', '--user', 'daemon'], 4, /not-found/],
    [['list'], 2, /missing required argument/],
    [['list', 'none'], 4, /not-found/],
    [['remove', 'main'], 2, /missing required argument/],
    [['remove', 'none', 'x'], 4, /not-found/],
    [['list', 'main', '--runtime', '/nowhere'], 8, /not-running/],
  ];
  refusesWrongUses(
    () => service,
    wrongUses.map(([args, ...refusal]) => [['volume', 'lease', ...args], ...refusal]),
  );

  test('what was refused left nothing', async () => {
    assert.deepEqual(
      (await leases()).map(({ consumer }) => consumer),
      ['kept'],
    );
    const points = await readdir(`${service.base}/storage/leases/main`);
    for (const refused of ['x', 'late']) assert.ok(!points.includes(refused), refused);
  });
});
