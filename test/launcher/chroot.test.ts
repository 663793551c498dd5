import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

const root = path.resolve(import.meta.dirname, '../..');
const fixtures = path.join(root, 'fixtures/launcher');
const launcher = path.join(root, 'build/Release/launcher');

test('in a chroot on a host that shares its mounts, nothing that the launcher unmounts or covers shows on the host', () => {
  const top = fs.mkdtempSync(path.join(os.tmpdir(), 'shared-'));
  fs.chmodSync(top, 0o755);
  try {
    const [own, script] = ['own-namespace.sh', 'shared-chroot.sh'].map((name) => path.join(fixtures, name));
    const mounts = execFileSync('sh', [own ?? '', 'sh', script ?? '', launcher, top], { encoding: 'utf8' });
    assert.deepEqual(mounts.trim().split('\n'), [path.join(top, 'root/data/volume')]);
  } finally {
    fs.rmSync(top, { recursive: true, force: true });
  }
});

test('mounts of others are not pinned; those that hold or lie beneath a needed path stay', () => {
  const top = fs.mkdtempSync(path.join(os.tmpdir(), 'others-'));
  fs.chmodSync(top, 0o755);
  const mount = (name: string): void => {
    fs.mkdirSync(path.join(top, name));
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', path.join(top, name)]);
  };
  try {
    mount('other');
    mount('mine');
    mount('mine/data');
    mount('mine/data/within');
    const list = ['--user', 'nobody', '--ro', path.join(top, 'mine/data'), '--', '/bin/cat', '/proc/self/mountinfo'];
    const seen = execFileSync(launcher, list, { encoding: 'utf8' });
    const points = seen.split('\n').map((line) => line.split(' ')[4] ?? '');
    const beneath = points.filter((point) => point.startsWith(`${top}/`)).map((point) => path.relative(top, point));
    assert.deepEqual(beneath, ['mine', 'mine/data', 'mine/data/within']);
    const host = fs.readFileSync('/proc/self/mountinfo', 'utf8');
    assert.ok(host.includes(` ${top}/other `), 'the host keeps it');
  } finally {
    for (const name of ['mine/data/within', 'mine/data', 'mine', 'other']) spawnSync('umount', [path.join(top, name)]);
    fs.rmSync(top, { recursive: true, force: true });
  }
});

test('no descriptor of the starter reaches the program', () => {
  const file = path.join(os.tmpdir(), `kept-${process.pid}`);
  const fd = fs.openSync(file, 'w+');
  try {
    const list = ['--user', 'nobody', '--', '/bin/ls', '/proc/self/fd'];
    const seen = spawnSync(launcher, list, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe', fd, fd, fd] });
    // 3 is the directory that ls itself reads
    assert.deepEqual(seen.stdout.trim().split('\n'), ['0', '1', '2', '3']);
  } finally {
    fs.closeSync(fd);
    fs.rmSync(file);
  }
});

test('without the right to make a mount namespace it goes on, and says what is missing', () => {
  const program = ['--user', 'nobody', '--', '/usr/bin/printenv', 'REELVAULT_CONFINEMENT'];
  const bounds = ['--bounding-set=-sys_admin', '--inh-caps=-sys_admin'];
  const run = spawnSync('setpriv', [...bounds, launcher, ...program], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  const report = JSON.parse(run.stdout) as { mountNamespaceMissing: string | null; covered: string[] };
  assert.equal(report.mountNamespaceMissing, 'Operation not permitted');
  assert.match(run.stderr, /^\{"warning":"confinement is incomplete"/);
});
