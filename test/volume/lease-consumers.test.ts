/** Leases through the volume manager: real nginx and nginx-rtmp as consumers, a new daemon, a drain. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { access, chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import type { ReelError } from '../../src/errors.ts';
import { run } from '../../src/exec/run.ts';
import { HelperClient } from '../../src/helper/client.ts';
import { helperSocket } from '../../src/helper/start.ts';
import { VolumeLeases } from '../../src/volume/manager/leases.ts';
import { VolumeManager } from '../../src/volume/manager/manager.ts';
import { describeEngines, type Helper, Place, service, size } from '../helper/harness.ts';

const consumer = { uid: 64_200, gid: 64_201 };
const rtmpModule = '/usr/lib/nginx/modules/ngx_rtmp_module.so';
const hasNginx = await access(rtmpModule).then(
  () => true,
  () => false,
);
const skip = hasNginx ? false : 'nginx with libnginx-mod-rtmp is not installed';

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
};

const listening = async (port: number): Promise<void> => {
  for (let tries = 0; ; tries += 1) {
    const socket = connect(port, '127.0.0.1');
    const up = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (up) return;
    assert.ok(tries < 300, `nobody listens on ${port}`);
    await sleep(50);
  }
};

await describeEngines('consumers of leases', (engine) => {
  let place: Place;
  let helper: Helper;
  let manager: VolumeManager;
  let leases: VolumeLeases;
  const told: string[] = [];
  const children: ChildProcess[] = [];

  /** A daemon's part, over what the one before left. */
  const daemon = async (): Promise<void> => {
    const client = new HelperClient({ socketPath: helperSocket(place.runtime) });
    const log = pino({ level: 'silent' });
    const now = (): number => Date.UTC(2026, 10, 21, 14);
    manager = new VolumeManager({ stateDirectory: path.join(place.root, 'state'), helper: client, log, now });
    leases = new VolumeLeases({ manager, helper: client, log, now });
    manager.use(leases.hooks());
    manager.use({ onEvent: ({ type }) => told.push(type) });
    await manager.start();
  };

  before(async () => {
    place = await Place.make();
    await chmod(place.root, 0o711);
    await mkdir(path.join(place.root, 'state'));
    helper = await place.helper();
    await daemon();
    await manager.create({ name: 'v', size, engine, open: true });
  });
  const end = async (child: ChildProcess): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
  };
  after(async () => {
    for (const child of children) await end(child);
    await manager.close();
    await place.destroy();
  });

  /** nginx as the consumer, one process, everything of its own in a directory of its own. */
  const nginx = async (name: string, config: (directory: string) => string): Promise<ChildProcess> => {
    const directory = path.join(place.root, name);
    await mkdir(path.join(directory, 'tmp'), { recursive: true });
    await writeFile(path.join(directory, 'nginx.conf'), config(directory));
    await run('chown', ['-R', `${consumer.uid}:${consumer.gid}`, directory], { timeoutMs: 10_000 });
    const drop = ['--reuid', String(consumer.uid), '--regid', String(consumer.gid), '--clear-groups'];
    const args = ['nginx', '-e', `${directory}/error.log`, '-p', directory, '-c', `${directory}/nginx.conf`];
    const child = spawn('setpriv', [...drop, ...args], { stdio: 'ignore' });
    children.push(child);
    return child;
  };
  const common = (directory: string): string =>
    `daemon off; master_process off; pid ${directory}/nginx.pid; error_log ${directory}/error.log info;
     events { worker_connections 64; }`;

  test('nginx-rtmp records into a writable lease; the files are the consumer’s, lie in the volume, and play', {
    skip,
  }, async () => {
    const lease = await leases.add('v', { consumer: 'rtmp', readOnly: false, persistent: true, ...consumer });
    assert.equal(lease.path, 'consumers/rtmp');
    const port = await freePort();
    const server = await nginx(
      'rtmp',
      (directory) => `load_module ${rtmpModule}; ${common(directory)}
        rtmp { access_log off; server { listen 127.0.0.1:${port}; application live {
          live on; record all; record_path ${lease.mountPoint}; record_unique on; } } }`,
    );
    await listening(port);
    const source = ['-re', '-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10', '-t', '3'];
    const coded = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '10', '-f', 'flv'];
    const target = ['-flvflags', 'no_duration_filesize', `rtmp://127.0.0.1:${port}/live/cam1`];
    await run('ffmpeg', ['-nostdin', '-v', 'error', ...source, ...coded, ...target], { timeoutMs: 90_000 });
    await end(server);
    const inside = path.join(place.mounts, 'v', 'consumers', 'rtmp');
    const [file = ''] = await readdir(inside);
    assert.match(file, /^cam1-\d+\.flv$/);
    const { uid, gid } = await stat(path.join(inside, file));
    assert.deepEqual({ uid, gid }, consumer);
    const probe = [
      '-v',
      'error',
      '-count_packets',
      '-show_entries',
      'stream=codec_name,nb_read_packets',
      '-of',
      'csv=p=0',
    ];
    const { stdout } = await run('ffprobe', [...probe, path.join(inside, file)], { timeoutMs: 60_000 });
    const [codec, packets] = stdout.toString().trim().split(',');
    assert.equal(codec, 'h264');
    assert.ok(Number(packets) >= 25, `${packets} of 30 frames`);
  });

  test('nginx serves recordings from a read-only lease, whole and in ranges, and cannot write', { skip }, async () => {
    const reel = path.join(place.mounts, 'v', 'dvr', '14.ts');
    const bytes = Buffer.alloc(3 * 1024 * 1024, 'reelvault ');
    await writeFile(reel, bytes, { mode: 0o640 });
    await run('chown', [`${service.uid}:${service.gid}`, reel], { timeoutMs: 10_000 });
    const lease = await leases.add('v', { consumer: 'web', readOnly: true, persistent: false, ...consumer });
    const port = await freePort();
    const server = await nginx(
      'web',
      (directory) => `${common(directory)}
        http { access_log off; ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${directory}/tmp/${kind};`).join(' ')}
          server { listen 127.0.0.1:${port}; root ${lease.mountPoint};
            location /put/ { alias ${lease.mountPoint}/; dav_methods PUT DELETE; } } }`,
    );
    await listening(port);
    const url = `http://127.0.0.1:${port}`;
    const whole = Buffer.from(await (await fetch(`${url}/14.ts`)).arrayBuffer());
    const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
    assert.equal(digest(whole), digest(await readFile(reel)));
    const part = await fetch(`${url}/14.ts`, { headers: { range: 'bytes=1000001-1000100' } });
    assert.equal(part.status, 206);
    assert.deepEqual(Buffer.from(await part.arrayBuffer()), bytes.subarray(1_000_001, 1_000_101));
    assert.ok((await fetch(`${url}/put/evil.ts`, { method: 'PUT', body: 'x' })).status >= 400);
    assert.ok((await fetch(`${url}/put/14.ts`, { method: 'DELETE' })).status >= 400);
    assert.deepEqual(await readdir(path.dirname(reel)), ['14.ts']);
    await end(server);
  });

  test('daemon and helper are killed: the next ones find the leases, and mount one that is missing', async () => {
    const params = { readOnly: false, persistent: true, ...consumer };
    await leases.add('v', { consumer: 'rtmp', ...params });
    await leases.add('v', { consumer: 'web', readOnly: true, persistent: false, ...consumer });
    await manager.close();
    process.kill(helper.pid, 'SIGKILL');
    await helper.ended;
    await run('umount', [path.join(place.mounts, 'leases', 'v', 'rtmp')], { timeoutMs: 10_000 });
    helper = await place.helper();
    await daemon();
    const found = (await leases.list('v')).map(({ consumer: name, state }) => [name, state]);
    assert.deepEqual(found, [
      ['rtmp', 'mounted'],
      ['web', 'mounted'],
    ]);
    assert.equal((await leases.add('v', { consumer: 'rtmp', ...params })).createdAt, '2026-11-21T14:00:00.000Z');
    await assert.rejects(leases.add('v', { consumer: 'rtmp', ...params, readOnly: true }), { code: 'already-exists' });
    assert.equal(await leases.remove('v', 'nobody'), false);
    await assert.rejects(leases.remove('none', 'nobody'), { code: 'not-found' });
  });

  test('a lock under a lease is refused; drain waits for the consumer, and a consumer that stays keeps everything', async () => {
    await assert.rejects(manager.lock('v'), (error: ReelError) => {
      assert.equal(error.code, 'volume-busy');
      const held = error.details.leases as { consumer: string }[];
      assert.deepEqual(new Set(held.map((each) => each.consumer)), new Set(['rtmp', 'web']));
      return true;
    });
    const holder = spawn('sleep', ['600'], { cwd: path.join(place.mounts, 'leases', 'v', 'web') });
    children.push(holder);
    await once(holder, 'spawn');
    await assert.rejects(manager.lock('v', { drain: true, deadlineMs: 300 }), (error: ReelError) => {
      assert.deepEqual([error.code, error.details.consumer], ['volume-busy', 'web']);
      return true;
    });
    assert.equal(manager.get('v').state, 'open');
    assert.deepEqual(
      (await leases.list('v')).map(({ state }) => state),
      ['mounted', 'mounted'],
      'all of them are back',
    );
    const locking = manager.lock('v', { drain: true, deadlineMs: 60_000 });
    await sleep(200);
    holder.kill('SIGKILL');
    assert.equal((await locking).state, 'locked');
    assert.ok(told.includes('volume.lease.draining'));
    const waiting = (await leases.list('v')).map(({ consumer: name, state }) => [name, state]);
    assert.deepEqual(waiting, [['rtmp', 'waiting']], 'the one that is not persistent is gone');
    await assert.rejects(writeFile(path.join(place.mounts, 'leases', 'v', 'rtmp', 'lost'), 'x'), { code: 'EPERM' });
    await manager.open('v');
    const mounted = (await leases.list('v')).map(({ consumer: name, state }) => [name, state]);
    assert.deepEqual(mounted, [['rtmp', 'mounted']]);
    assert.equal(await leases.remove('v', 'rtmp'), true);
    assert.equal(await leases.remove('v', 'rtmp'), false, 'called again');
    assert.equal((await manager.lock('v')).state, 'locked');
  });

  test('slam: a part that cannot let go in time is told that the volume is lost; each act is an event', async () => {
    await manager.open('v');
    await leases.add('v', { consumer: 'rtmp', readOnly: false, persistent: true, ...consumer });
    const heard: string[] = [];
    manager.use({
      beforeLock: () => new Promise(() => {}),
      onLost: async (_name, { code }) => {
        heard.push(code);
      },
    });
    const holder = spawn('sleep', ['600'], { cwd: path.join(place.mounts, 'leases', 'v', 'rtmp') });
    children.push(holder);
    await once(holder, 'spawn');
    told.length = 0;
    const { state, acts } = await manager.slam('v', { deadlineMs: 200 });
    assert.equal(state, 'locked');
    assert.deepEqual(heard, ['io-error']);
    assert.deepEqual(
      acts.map(({ act }) => act),
      ['term', 'unmount', 'unmount'],
    );
    const slams = told.filter((type) => type.startsWith('volume.slam'));
    assert.deepEqual(slams, ['volume.slam', 'volume.slam.term', 'volume.slam.unmount', 'volume.slam.unmount']);
    assert.deepEqual(
      (await leases.list('v')).map(({ state: is }) => is),
      ['waiting'],
    );
  });
});
