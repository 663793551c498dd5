import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { unmountCopies } from '../../src/volume/copies.ts';
import { parseMountinfo } from '../../src/volume/mountinfo.ts';

const ownNamespace = path.resolve(import.meta.dirname, '../../fixtures/launcher/own-namespace.sh');

let base: string;
let point: string;
let device: string;
let holder: ChildProcess | undefined;

/** A tmpfs as the volume, in the host's namespace. */
beforeEach(() => {
  base = mkdtempSync(path.join(os.tmpdir(), 'copies-'));
  chmodSync(base, 0o777);
  point = path.join(base, 'volume');
  mkdirSync(point);
  execFileSync('mount', ['-t', 'tmpfs', 'volume', point]);
  const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
  device = mounts.find((mount) => mount.point === point)?.device ?? '';
  assert.match(device, /^\d+:\d+$/);
});

afterEach(() => {
  holder?.kill('SIGKILL');
  holder = undefined;
  if (statSync(point).dev !== statSync(base).dev) execFileSync('umount', [point]);
  rmSync(base, { recursive: true, force: true });
});

/** A process in a mount namespace of its own; resolves when `script` has said "ready". */
const inNamespace = async (script: string, unshare = 'unshare --mount'): Promise<number> => {
  const args = [ownNamespace, 'sh', '-c', `${script}; echo ready $$; exec sleep 60`];
  const child = spawn('sh', args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, UNSHARE: unshare } });
  holder = child;
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (data: Buffer) => resolve(data.toString()));
    child.once('exit', (code) => reject(new Error(`the namespace's process ended with ${code}`)));
  });
  return Number(line.split(' ')[1]);
};

const mountedIn = (pid: number): boolean => readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(` ${point} `);

test('a copy that another namespace inherited is unmounted', async () => {
  const pid = await inNamespace('true');
  execFileSync('umount', [point]);
  assert.ok(mountedIn(pid), 'the copy stays when the mount goes');
  await unmountCopies(device, point);
  assert.ok(!mountedIn(pid));
});

test('a mount of another device at the same place is left alone', async () => {
  const pid = await inNamespace(`mount -t tmpfs other '${point}'`);
  execFileSync('umount', [point]);
  await unmountCopies(device, point);
  assert.ok(mountedIn(pid));
});

test('what a hostile namespace holds at the paths of programs is not executed', async () => {
  const proof = path.join(base, 'executed-as');
  const evil = path.join(base, 'evil');
  writeFileSync(evil, `#!/bin/sh\nid -u > '${proof}'\n`);
  chmodSync(evil, 0o755);
  const unprivileged = 'setpriv --reuid=65534 --regid=65534 --clear-groups unshare --user --map-root-user --mount';
  const pid = await inNamespace(`mount --bind '${evil}' /usr/bin/umount`, unprivileged);
  execFileSync('umount', [point]);
  assert.ok(mountedIn(pid));
  await unmountCopies(device, point);
  assert.ok(!existsSync(proof), 'a program of the hostile namespace ran');
});
