/** Thousands of hostile paths, with a bind mount of the outside in the way and directories swapped for links underneath. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, constants, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { Datapath } from '../../src/datapath/datapath.ts';
import { Jail } from '../../src/datapath/jail.ts';
import { ReelError } from '../../src/errors.ts';
import { Grounds, secret } from './grounds.ts';
import { hostilePaths } from './hostile-paths.ts';

const count = 10_000;
const grounds = new Grounds();
const bound = path.join(grounds.inside, 'harbour/deep');
after(() => grounds.remove());

/** Everything outside: names, kinds, modes, times and bytes. */
const fingerprint = (directory: string): string => {
  const hash = createHash('sha256');
  const visit = (name: string): void => {
    const { mode, size, mtimeMs, ctimeMs, nlink } = lstatSync(name);
    hash.update(JSON.stringify([name, mode, size, mtimeMs, ctimeMs, nlink]));
    if (lstatSync(name).isDirectory()) for (const each of readdirSync(name)) visit(path.join(name, each));
    else if (lstatSync(name).isFile()) hash.update(readFileSync(name));
  };
  visit(directory);
  return hash.digest('hex');
};

/** Clears the name again where a call made a directory in the moment when it was free. */
const swapper = `
  const fs = require('node:fs');
  process.chdir(${JSON.stringify(grounds.inside)});
  const clear = () => { for (;;) try { return fs.rmSync('dir', { recursive: true, force: true }); } catch {} };
  const put = (place) => { for (;;) try { return place(); } catch { clear(); } };
  fs.writeSync(1, 'go');
  for (;;) {
    fs.renameSync('dir', 'aside');
    put(() => fs.symlinkSync('../outside', 'dir'));
    clear();
    put(() => fs.renameSync('aside', 'dir'));
  }`;

/** What a path did not do is as good as what it did inside; what it must never do is asserted by the caller. */
const tried = async (work: () => unknown): Promise<boolean> => {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof ReelError) return false;
    throw error;
  }
};

const proveInside = (fd: number): void => {
  try {
    const place = readlinkSync(`/proc/self/fd/${fd}`);
    assert.ok(place === grounds.inside || place.startsWith(`${grounds.inside}/`), `opened ${place}`);
    if (lstatSync(place, { throwIfNoEntry: false })?.isFile()) assert.notEqual(readFileSync(fd, 'utf8'), secret);
  } finally {
    closeSync(fd);
  }
};

/** Every call of a jail with one path; the changing ones make and remove names of their own, so that the ground stays. */
const assault = async (jail: Jail, name: string): Promise<number> => {
  const own = `${name}/assault`;
  const done = [
    await tried(() => jail.stat(name)),
    await tried(() => jail.readdir(name)),
    await tried(() => proveInside(jail.open(name, constants.O_RDONLY | constants.O_NONBLOCK))),
    await tried(() => proveInside(jail.open(own, constants.O_RDWR | constants.O_CREAT))),
    await tried(() => jail.rename(own, `${own}-renamed`)),
    await tried(() => jail.unlink(`${own}-renamed`)),
    await tried(() => jail.mkdirp(own)),
    await tried(() => jail.unlink(own, { directory: true })),
  ];
  return done.filter(Boolean).length;
};

test(`${count} hostile paths: nothing outside is read, made, changed or removed`, async (t) => {
  execFileSync('mkdir', ['-p', bound]);
  execFileSync('mount', ['--bind', grounds.outside, bound]);
  writeFileSync(path.join(grounds.top, 'inside-more'), secret);
  const before = fingerprint(grounds.outside);
  const child = spawn(process.execPath, ['-e', swapper], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<string | null>((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
  const datapath = await Datapath.open(grounds.inside);
  const volume = new Jail({ fd: grounds.open(), label: 'volume' });
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  let [resolved, calls] = [0, 0];
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    for (const name of hostilePaths(grounds, count, seed)) {
      calls += await assault(volume, name);
      await tried(() => {
        const { root, relative } = datapath.resolve(name);
        resolved += 1;
        assert.equal(root.path, grounds.inside);
        // A mount below the datapath is the admin's; beneath it only the race and the links are hostile.
        if (!relative.startsWith('harbour'))
          proveInside(root.jail.open(relative, constants.O_RDONLY | constants.O_NONBLOCK));
      });
    }
  } finally {
    child.kill('SIGKILL');
    assert.equal(await ended, 'SIGKILL', 'the race went on until the end');
    await volume.close();
    await datapath.close();
    execFileSync('umount', ['--lazy', bound]);
  }
  t.diagnostic(`${resolved} of ${count} paths resolved, ${calls} calls did something inside`);
  assert.ok(resolved > 100 && calls > 100, 'some paths are good ones: the test does reach the calls');
  assert.equal(fingerprint(grounds.outside), before);
  assert.deepEqual(readdirSync(grounds.top).sort(), ['inside', 'inside-more', 'outside']);
});
