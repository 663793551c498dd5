import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

const root = path.resolve(import.meta.dirname, '../..');
const launcher = path.join(root, 'build/Release/launcher');
const none = '0000000000000000';
let home: string;
let canary: string;
let program: string;
let state: string;
const undo: (() => void)[] = [];

interface Look {
  [key: string]: unknown;
  confinement: { landlockAbi: number; covered: string[]; mountNamespaceMissing: string | null };
}

// A checkout and a state directory below a home that the service user cannot enter, and a canary anybody may read.
before(() => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'launcher-'));
  fs.chmodSync(home, 0o700);
  program = path.join(home, 'deep/program');
  state = path.join(home, 'deep/state');
  fs.mkdirSync(program, { recursive: true });
  fs.mkdirSync(state);
  fs.chownSync(state, 65534, 65534);
  fs.copyFileSync(path.join(root, 'fixtures/launcher/look.mjs'), path.join(program, 'look.mjs'));
  fs.copyFileSync(process.execPath, path.join(program, 'node'), fs.constants.COPYFILE_FICLONE);
  canary = path.join(os.tmpdir(), `canary-${process.pid}`);
  fs.writeFileSync(canary, 'canary', { mode: 0o644 });
});

after(() => {
  for (const step of undo.reverse()) step();
  fs.rmSync(canary, { force: true });
  fs.rmSync(home, { recursive: true, force: true });
});

const command = (extra: string[], stay: string[] = []): string[] => [
  ...['--user', 'nobody', '--ro', program, '--rw', state, '--chdir', state, ...extra],
  ...['--', path.join(program, 'node'), path.join(program, 'look.mjs'), canary, state, ...stay],
];

test('the program runs as the service user, confined in every thread and child', () => {
  const look = JSON.parse(execFileSync(launcher, command([]), { encoding: 'utf8' })) as Look;
  assert.equal(look.uid, 65534);
  assert.equal(look.gid, 65534);
  assert.ok(!(look.groups as number[]).includes(0));
  assert.deepEqual(look.capabilities, [none, none, none, none, none]);
  assert.equal(look.noNewPrivs, '1');
  assert.equal(look.cwd, state);
  assert.equal(look.written, 'ok');
  assert.equal(fs.readFileSync(path.join(state, 'written'), 'utf8'), 'by the service');
  assert.deepEqual(look.confinement.covered, [home], 'only the directory that bars the way is covered');
  if (look.confinement.landlockAbi > 0) {
    for (const way of ['main', 'throughRoot', 'worker', 'pool']) assert.equal(look[way], 'EACCES', way);
    assert.equal(look.grandchild, 1);
  }
});

test('the canary is readable without the launcher, so the refusals above are the launcher’s', () => {
  const seen = spawnSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'cat', canary], {
    encoding: 'utf8',
  });
  assert.equal(seen.stdout, 'canary');
});

test('a volume mounted before the start can be unmounted by the host, and a descriptor of it serves the program', async () => {
  const image = path.join(home, 'volume.img');
  const point = path.join(state, 'mount');
  fs.mkdirSync(point);
  execFileSync('truncate', ['-s', '8M', image]);
  execFileSync('mkfs.ext4', ['-q', image]);
  const loop = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
  undo.push(() => spawnSync('losetup', ['-d', loop]));
  execFileSync('mount', [loop, point]);
  undo.push(() => spawnSync('umount', [point]));
  fs.writeFileSync(path.join(point, 'hello'), 'from the volume');

  const volume = fs.openSync(point, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  const child = spawn(launcher, command(['--detach-mounts', state], ['--stay']), {
    stdio: [volume, 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  undo.push(() => child.kill('SIGKILL'));
  const line = await new Promise<string>((resolve) =>
    child.stdout?.once('data', (data: Buffer) => resolve(data.toString())),
  );
  assert.equal((JSON.parse(line) as Look).volume, 'from the volume');

  fs.closeSync(volume);
  const busy = spawnSync('umount', [point], { encoding: 'utf8' });
  assert.match(busy.stderr, /busy/, 'the descriptor that the program holds pins the mount');
  child.kill('SIGKILL');
  await ended;

  // A program that holds no descriptor must not pin the mount through a copy of it in its own namespace.
  const idle = spawn(launcher, command(['--detach-mounts', state], ['--stay']), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const idleEnded = new Promise((resolve) => idle.once('close', resolve));
  undo.push(() => idle.kill('SIGKILL'));
  await new Promise((resolve) => idle.stdout?.once('data', resolve));
  execFileSync('umount', [point]);
  execFileSync('losetup', ['-d', loop]);
  assert.equal(
    execFileSync('losetup', ['-j', image], { encoding: 'utf8' }),
    '',
    'the loop device is free while the program lives',
  );
  idle.kill('SIGKILL');
  await idleEnded;
});

test('it works in a chroot whose root is no mount point', () => {
  const jail = fs.mkdtempSync(path.join(os.tmpdir(), 'chroot-'));
  fs.chmodSync(jail, 0o755);
  const bound: string[] = [];
  try {
    for (const name of ['usr', 'lib', 'lib64', 'bin', 'proc', 'dev', 'etc']) {
      fs.mkdirSync(path.join(jail, name));
      execFileSync('mount', ['--bind', `/${name}`, path.join(jail, name)]);
      bound.push(path.join(jail, name));
    }
    const inside = path.join(jail, 'home');
    fs.mkdirSync(inside, { mode: 0o700 });
    fs.cpSync(program, path.join(inside, 'program'), { recursive: true });
    fs.mkdirSync(path.join(inside, 'state'));
    fs.chownSync(path.join(inside, 'state'), 65534, 65534);
    fs.copyFileSync(launcher, path.join(jail, 'launcher'));
    fs.writeFileSync(path.join(jail, 'canary'), 'canary', { mode: 0o644 });
    const args = ['--user', 'nobody', '--ro', '/home/program', '--rw', '/home/state', '--chdir', '/home/state'];
    const run = ['--', '/home/program/node', '/home/program/look.mjs', '/canary', '/home/state'];
    const look = JSON.parse(execFileSync('chroot', [jail, '/launcher', ...args, ...run], { encoding: 'utf8' })) as Look;
    assert.equal(look.uid, 65534);
    assert.deepEqual(look.confinement.covered, ['/home']);
    if (look.confinement.landlockAbi > 0) assert.equal(look.main, 'EACCES');
    const left = fs
      .readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(`${jail}/home`));
    assert.deepEqual(left, [], 'the veil stays in the program’s own namespace');
  } finally {
    for (const point of bound.reverse()) execFileSync('umount', [point]);
    fs.rmSync(jail, { recursive: true, force: true });
  }
});

test('a program in a chroot does not keep a mount beside it busy', async () => {
  const top = fs.mkdtempSync(path.join(os.tmpdir(), 'beside-'));
  fs.chmodSync(top, 0o755);
  const [jail, beside] = [path.join(top, 'jail'), path.join(top, 'beside')];
  const mounted: string[] = [];
  const mount = (args: string[], point: string): void => {
    fs.mkdirSync(point, { recursive: true });
    execFileSync('mount', [...args, point]);
    mounted.push(point);
  };
  try {
    for (const name of ['usr', 'lib', 'lib64', 'bin', 'proc', 'dev', 'etc']) {
      mount(['--bind', `/${name}`], path.join(jail, name));
    }
    fs.copyFileSync(launcher, path.join(jail, 'launcher'));
    const image = path.join(top, 'image');
    execFileSync('truncate', ['-s', '8M', image]);
    execFileSync('mkfs.ext4', ['-q', image]);
    mount(['-o', 'loop', image], beside);
    const held = spawn(
      'chroot',
      [jail, '/launcher', '--user', 'nobody', '--', '/bin/sh', '-c', 'echo ready; read line'],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    const ended = new Promise((resolve) => held.once('close', resolve));
    try {
      await new Promise((resolve) => held.stdout.once('data', resolve));
      execFileSync('umount', [beside]);
      mounted.pop();
      assert.equal(execFileSync('losetup', ['-j', image], { encoding: 'utf8' }), '', 'the loop device is free');
    } finally {
      held.stdin.end();
      await ended;
    }
  } finally {
    for (const point of mounted.reverse()) execFileSync('umount', [point]);
    fs.rmSync(top, { recursive: true, force: true });
  }
});

test('it ends with its parent when asked to', async () => {
  const middle = spawn(
    'sh',
    ['-c', '"$@" & echo $!; wait', 'sh', launcher, ...command(['--parent-death-signal', '9'], ['--stay'])],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  undo.push(() => middle.kill('SIGKILL'));
  let text = '';
  await new Promise<void>((resolve) =>
    middle.stdout?.on('data', (data: Buffer) => {
      text += data.toString();
      if (text.includes('confinement')) resolve();
    }),
  );
  const pid = Number.parseInt(text, 10);
  assert.ok(fs.existsSync(`/proc/${pid}`));
  middle.kill('SIGKILL');
  const deadline = Date.now() + 5000;
  const alive = (): boolean =>
    fs.existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  while (alive() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(!alive());
});

for (const [name, args, expected] of [
  ['an unknown account', ['--user', 'no-such-user', '--', 'true'], /an account of this machine/],
  ['root as the account', ['--user', 'root', '--', 'true'], /other than root/],
  ['a relative path', ['--user', 'nobody', '--ro', 'here', '--', 'true'], /an absolute path/],
  [
    'a path that does not exist',
    ['--user', 'nobody', '--rw', '/no/such/directory', '--', 'true'],
    /a path that exists/,
  ],
  ['no command', ['--user', 'nobody'], /a program after --/],
] as const) {
  test(`it refuses ${name} with 125 and a line of JSON`, () => {
    const run = spawnSync(launcher, args, { encoding: 'utf8' });
    assert.equal(run.status, 125);
    assert.match((JSON.parse(run.stderr) as { expected: string }).expected, expected);
  });
}

test('a program that is not there ends with 127', () => {
  assert.equal(spawnSync(launcher, ['--user', 'nobody', '--', '/usr/bin/no-such-program']).status, 127);
});
