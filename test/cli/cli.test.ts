/** The command line against a real service: real helper, real container, real daemon. Runs as root. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { TestService } from './service.ts';
import { refusesWrongUses, type WrongUse } from './wrong-uses.ts';

const service = await TestService.create();
const phrase = 'marked-phrase-correct-horse';
let password = '';
before(async () => {
  password = (await service.start()).password ?? '';
});
after(() => service.destroy(['main', 'keyed']));

const json = (text: string): Record<string, unknown> => JSON.parse(text);
const errorCode = (text: string): string => (json(text).error as { code: string }).code;
const alive = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
const gone = async (pid: number): Promise<void> => {
  while (alive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
};

test('the daemon is not root and has no capabilities, the admin socket is private', () => {
  const status = readFileSync(`/proc/${service.pidOf('daemon')}/status`, 'utf8');
  assert.doesNotMatch(status, /^Uid:\s+0/m);
  assert.match(status, /^CapEff:\s+0+$/m);
  assert.match(status, /^NoNewPrivs:\s+1$/m);
  const socket = statSync(`${service.base}/run/admin.sock`);
  assert.equal(socket.mode & 0o777, 0o600);
  assert.notEqual(socket.uid, 0);
  assert.match(password, /^\w{4}(-\w{4}){6}$/);
});

test('status says which parts are up', async () => {
  const { code, stdout } = await service.run(['status', '--json']);
  const parts = json(stdout).parts as Record<string, boolean>;
  const { helper, volumes, recorder, retention } = parts;
  assert.deepEqual(
    { helper, volumes, recorder, retention },
    { helper: true, volumes: true, recorder: true, retention: true },
    stdout,
  );
  assert.equal(code, json(stdout).ready === true ? 0 : 8);
});

test('create with a passphrase, list, lock, open; a wrong passphrase is exit code 3 and changes nothing', async () => {
  const made = await service.run(
    ['volume', 'create', 'main', '--size', '64M', '--passphrase-file', '-', '--json'],
    `${phrase}\n`,
  );
  assert.equal(made.code, 0, made.stderr + service.log.slice(-2000));
  assert.equal(json(made.stdout).state, 'open');
  assert.equal((await service.run(['volume', 'create', 'main', '--size', '64M'])).code, 5);
  const list = await service.run(['volume', 'list']);
  assert.match(list.stdout, /^NAME +STATE/);
  assert.match(list.stdout, /^main +open +64 MiB +luks2/m);
  assert.equal((await service.run(['volume', 'lock', 'main'])).code, 0);
  const wrong = await service.run(
    ['volume', 'open', 'main', '--passphrase-file', '-', '--json'],
    'marked-wrong-phrase',
  );
  assert.equal(wrong.code, 3, wrong.stderr);
  assert.equal(errorCode(wrong.stderr), 'wrong-key');
  assert.match(wrong.stderr, /its keyslots: 0 passphrase; --ask asks/);
  assert.equal((await service.run(['volume', 'open', 'main', '--passphrase-file', '-'], phrase)).code, 0);
  assert.equal((await service.mounts()).filter((line) => line.includes('ext4')).length, 1);
});

test('grow: by so much more without the passphrase, the same size again, and never less', async () => {
  const more = await service.run(['volume', 'grow', 'main', '--size', '+16M', '--json']);
  assert.equal(more.code, 0, more.stderr);
  const { volume, grown } = json(more.stdout) as {
    volume: { state: string; size: number; netSize: number };
    grown: { to: number };
  };
  // net as it was made, with 64 MiB; the container has 16 MiB more for its header
  assert.deepEqual([volume.state, volume.netSize, grown.to], ['open', 80 * 2 ** 20, 80 * 2 ** 20]);
  assert.equal(volume.size, 96 * 2 ** 20);
  const again = await service.run(['volume', 'grow', 'main', '--size', '80M']);
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stdout, /^main: open, (has this size already: 80 MiB|grown from 64 MiB to 80 MiB)/);
  const less = await service.run(['volume', 'grow', 'main', '--size', '79M', '--json']);
  assert.deepEqual([less.code, errorCode(less.stderr)], [2, 'invalid-argument']);
  assert.match(less.stderr, /at least 83886080 bytes \(80 MiB\) net.*got 82837504 bytes \(79 MiB\) net/);
  assert.equal((await service.run(['volume', 'grow', 'nobody', '--size', '+1G'])).code, 4);
});

test('create with a key file: the container opens with it, and only root reads it', async () => {
  const made = await service.run(['volume', 'create', 'keyed', '--size', '64M', '--locked', '--json']);
  assert.equal(made.code, 0, made.stderr);
  const { container, keyFile, state } = json(made.stdout) as { container: string; keyFile: string; state: string };
  assert.equal(state, 'locked');
  assert.equal(statSync(keyFile).mode & 0o777, 0o400);
  execFileSync('cryptsetup', ['open', '--test-passphrase', '--key-file', keyFile, container]);
  assert.equal((await service.run(['volume', 'open', 'keyed'])).code, 0);
  assert.equal((await service.run(['volume', 'lock', 'keyed'])).code, 0);
});

test('keys: a passphrase beside the key file, a recovery key that opens however it is typed, rotation, removal', async () => {
  const keys = async (): Promise<string[]> => {
    const { stdout, code, stderr } = await service.run(['volume', 'key', 'list', 'keyed', '--json']);
    assert.equal(code, 0, stderr);
    return (json(stdout).keys as { slot: number; kind: string }[]).map(({ slot, kind }) => `${slot} ${kind}`);
  };
  const key = (args: string[], input?: string) => service.run(['volume', 'key', ...args], input);
  const added = await key(['add', 'keyed', '--new-passphrase-file', '-', '--json'], phrase);
  assert.deepEqual(json(added.stdout), { slot: 1, added: true, removed: [] }, added.stderr);
  const made = await key(['recovery', 'keyed', '--passphrase-file', '-'], phrase);
  assert.match(made.stdout, /^[0-9A-Z]{5}(-[0-9A-Z]{5}){12}\n$/, made.stderr);
  assert.deepEqual(await keys(), ['0 keyFile', '1 passphrase', '2 recovery']);
  assert.match((await service.run(['volume', 'key', 'list', 'keyed'])).stdout, /^2 +recovery +yes +normal +pbkdf2/m);

  const typed = made.stdout.trim().toLowerCase().replaceAll('-', ' ');
  const mistyped = typed.replace(/^(.)/, (first) => (first === 'a' ? 'b' : 'a'));
  const typo = await service.run(['volume', 'open', 'keyed', '--recovery', '-', '--json'], mistyped);
  assert.deepEqual([typo.code, (json(typo.stderr).error as { details: object }).details], [2, { groups: [1] }]);
  assert.equal((await service.run(['volume', 'open', 'keyed', '--recovery', '-'], typed)).code, 0);
  assert.equal((await key(['rotate', 'keyed', '--json'])).code, 0);
  assert.deepEqual(await keys(), ['1 passphrase', '2 recovery', '3 keyFile']);

  const changed = await key(['change', 'keyed', '--recovery', '-', '--new-passphrase-file', '/dev/null'], typed);
  assert.equal(changed.code, 2, 'an empty passphrase is refused');
  assert.equal((await key(['remove', 'keyed', '--slot', '3'])).code, 5);
  assert.equal((await key(['remove', 'keyed', '--remove-file', '-', '--json'], phrase)).code, 0);
  assert.deepEqual(await keys(), ['2 recovery', '3 keyFile']);
  assert.equal((await key(['remove', 'keyed'])).code, 2);
  assert.equal((await service.run(['volume', 'lock', 'keyed'])).code, 0);
  for (const secret of [phrase, made.stdout.trim()]) assert.ok(!service.log.includes(secret));
});

test('streams: list and show tell the last error, delete says what stays', async () => {
  const api = (method: string, at: string, body: string | Buffer): string =>
    execFileSync(
      'curl',
      ['-s', '-X', method, '--unix-socket', `${service.base}/run/admin.sock`, '--data-binary', '@-']
        .concat(at.startsWith('/api') ? ['-H', 'content-type: application/json'] : [])
        .concat(`http://localhost${at}`),
      { input: body, encoding: 'utf8' },
    );
  const unknown = json(api('PUT', '/api/v1/streams/cam', '{"volume":"mian"}'));
  assert.equal((unknown.error as { code: string }).code, 'not-found');
  assert.match(JSON.stringify(unknown), /"volumes":\["main","keyed"\]/);
  api('PUT', '/api/v1/streams/cam', '{"volume":"main"}');
  const refused = json(api('PUT', '/ingest/cam', Buffer.alloc(300_000)));
  assert.equal((refused.error as { code: string }).code, 'not-mpegts');
  assert.match((await service.run(['stream', 'list'])).stdout, /^cam +idle +- +main +.* not-mpegts$/m);
  const show = await service.run(['stream', 'show', 'cam']);
  assert.match(show.stdout, /^last error +not-mpegts: /m);
  assert.match(show.stdout, /^errors +0 continuity, 0 transport$/m);
  assert.match(show.stdout, /^durable +0 segments, 0 B$/m);
  const { session } = json((await service.run(['stream', 'show', 'cam', '--json'])).stdout);
  assert.ok((session as { received: number }).received > 0);
  const deleted = await service.run(['stream', 'delete', 'cam']);
  assert.deepEqual([deleted.code, deleted.stderr], [0, '']);
  assert.match(deleted.stdout, /^cam: settings forgotten; the volume main has no recordings of it$/m);
  assert.equal((await service.run(['stream', 'delete', 'cam'])).code, 4);
});

const wrongUses: WrongUse[] = [
  [['volume', 'open', 'none'], 4, /none/],
  [['volume', 'create', '../x', '--size', '64M'], 2, /invalid-argument/],
  [['volume', 'create', 'x', '--size', '64Q'], 2, /64Q/],
  [['volume', 'create', 'x', '--size', '1M'], 2, /invalid-argument/],
  [['volume', 'create', 'x'], 2, /--size/],
  [['volume', 'frobnicate'], 2, /unknown command/],
  [['stream', 'show', 'none'], 4, /not-found/],
  [['stream', 'delete', 'none'], 4, /not-found/],
  [['stream', 'delete'], 2, /missing required argument/],
  [['volume', 'open', 'main', '--passphrase', 'secret'], 2, /unknown option/],
  [['volume', 'open', 'main', '--ask'], 2, /terminal/],
  [['status', '--runtime', 'relative'], 2, /--runtime/],
  [['status', '--runtime', '/nowhere'], 8, /not-running/],
];
refusesWrongUses(() => service, wrongUses);

test('a second service on the same directories is refused and harms nothing', { timeout: 60_000 }, async () => {
  const outcome = await service.run(['serve']);
  assert.equal(outcome.code, 5, outcome.stderr);
  assert.equal((await service.run(['volume', 'list'])).code, 0);
});

test('a killed helper and a killed daemon come back, and the volume stays open', async () => {
  for (const part of ['helper', 'daemon']) {
    const former = service.pidOf(part);
    const started = service.next((line) => line.event === 'started' && line.part === part && line.pid !== former);
    process.kill(former, 'SIGKILL');
    await started;
    const { stdout } = await service.run(['volume', 'list', '--json']);
    const volumes = json(stdout).volumes as { name: string; state: string }[];
    assert.equal(volumes.find((volume) => volume.name === 'main')?.state, 'open', `after the ${part}: ${stdout}`);
    // The service asked for any port: publishers and players must find it where it was.
    execFileSync('curl', ['-skf', `${service.url}/api/v1/health`]);
  }
});

test('a killed supervisor takes daemon and helper with it, not the volume; the next one adopts it', async () => {
  const parts = ['daemon', 'helper'].map((part) => service.pidOf(part));
  process.kill(service.pid, 'SIGKILL');
  for (const pid of parts) await gone(pid);
  assert.equal((await service.mounts()).filter((line) => line.includes('ext4')).length, 1);
  assert.equal((await service.run(['status'])).code, 8);
  const ready = await service.start();
  assert.equal(ready.password, undefined, 'the password is shown once');
  const { stdout } = await service.run(['volume', 'list']);
  assert.match(stdout, /^main +open/m);
});

test('SIGTERM: the service ends with exit code 0, the volume stays mounted', async () => {
  assert.equal(await service.end('SIGTERM'), 0);
  const stopped = service.lines.find(({ event }) => event === 'stopped');
  assert.deepEqual(stopped?.leftOpen, [{ name: 'main', mountPoint: `${service.base}/storage/mount/main` }]);
  assert.equal((await service.mounts()).filter((line) => line.includes('ext4')).length, 1);
  await service.start();
});

test('no secret stands in the log or in the state', () => {
  const state = ['volumes.json', 'admin.json']
    .map((name) => readFileSync(`${service.base}/state/${name}`, 'utf8'))
    .join('');
  // The password is told once, by the line that says ready.
  const log = service.log.replace(`"password":"${password}"`, '');
  assert.match(log, /"msg":"request"/, 'the log is on');
  for (const secret of ['marked-', password]) assert.equal((log + state).includes(secret), false, secret);
});
