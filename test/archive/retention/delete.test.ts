/** The order in which reels are deleted, and a crash after each step of it. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { hourPath } from '../../../src/archive/reel.ts';
import { type DeleteFiles, deleteReels, finishDeleting } from '../../../src/archive/retention/delete.ts';
import { DirectoryCatalog, filesOf } from '../../../src/archive/retention/directory-catalog.ts';
import type { ReelName } from '../../../src/archive/retention/reels.ts';
import { ReelError } from '../../../src/errors.ts';
import { run, someHour, TemporaryVolume } from '../fixtures.ts';

const day = 24;
/** Two days of one stream, and another stream that nobody deletes. */
const doomed = [someHour, someHour + 1, someHour + day].map((hour) => ({ stream: 'cam', hour }));
const spared = [
  { stream: 'cam', hour: someHour + 2 },
  { stream: 'other', hour: someHour },
];
const currentHour = hourPath(someHour + 90 * day);

let volume: TemporaryVolume;
beforeEach(() => {
  volume = new TemporaryVolume();
  fs.mkdirSync(path.join(volume.root, '.reelvault'));
  for (const { stream, hour } of [...doomed, ...spared]) {
    volume.reel(stream, run(hour, 2));
    volume.write(`dvr/${stream}/${hourPath(hour)}.sig`, 'signature');
  }
});
afterEach(() => volume.remove());

class Crash extends Error {}

/** Files and catalog that note what is done, and end at step `end`: before it, or where it is done already. */
const watched = (end = Number.POSITIVE_INFINITY, late = false) => {
  const steps: string[] = [];
  const crash = (): void => {
    throw new Crash();
  };
  const step = <T>(name: string, work: () => T): T => {
    steps.push(name);
    if (steps.length > end && !late) crash();
    const done = work();
    if (steps.length > end) {
      if (done instanceof Promise) return done.then(crash) as T;
      crash();
    }
    return done;
  };
  const { files } = volume;
  const real = new DirectoryCatalog({ files });
  const seen: DeleteFiles = {
    stat: (name) => files.stat(name),
    unlink: (name, options) => step(`unlink ${name}`, () => files.unlink(name, options)),
    syncDirectory: (name) => step(`sync ${name}`, () => files.syncDirectory(name)),
  };
  const names = (reels: readonly ReelName[]): string => reels.map(({ hour }) => hour - someHour).join(',');
  const catalog = {
    building: false,
    list: () => real.list(),
    garbage: () => real.garbage(),
    markGarbage: (reels: readonly ReelName[]) => step(`mark ${names(reels)}`, () => real.markGarbage(reels)),
    drop: (reels: readonly ReelName[]) => step(`drop ${names(reels)}`, () => real.drop(reels)),
  };
  const onStuck = (reel: ReelName): void => void steps.push(`stuck ${names([reel])}`);
  return { steps, params: { files: seen, catalog, currentHour, mayGo: () => true, onStuck } };
};

const there = (reel: ReelName): boolean[] => filesOf(reel).map((name) => fs.existsSync(path.join(volume.root, name)));
const never = new AbortController().signal;
const nothing = (): void => {};

test('a reel is garbage before its files go, and until their directory is synced', async () => {
  const { steps, params } = watched();
  const told: ReelName[][] = [];
  await deleteReels(params, doomed, (reels) => told.push([...reels]), never);
  const stem = (hour: number): string => `dvr/cam/${hourPath(hour)}`;
  const unlinks = (hour: number): string[] => ['idx', 'sig', 'ts'].map((kind) => `unlink ${stem(hour)}.${kind}`);
  assert.deepEqual(
    steps.filter((one) => !/unlink .*\/\d\d$/.test(one)),
    [
      ...['mark 0,1', ...unlinks(someHour), ...unlinks(someHour + 1), 'sync dvr/cam/2026/11/21', 'drop 0,1'],
      ...['mark 24', ...unlinks(someHour + day), 'sync dvr/cam/2026/11/22', 'drop 24'],
    ],
  );
  assert.deepEqual(told, [doomed.slice(0, 2), doomed.slice(2)]);
  for (const reel of spared) assert.deepEqual(there(reel), [true, true, true]);
});

test('after a crash at any step what was garbage goes for good, and everything else is whole', async () => {
  const count = await (async () => {
    const { steps, params } = watched();
    await deleteReels(params, doomed, nothing, never);
    return steps.length;
  })();
  assert.ok(count > 12);
  for (let end = 0; end < count; end += 1)
    for (const late of [false, true]) {
      await volume.remove();
      volume = new TemporaryVolume();
      fs.mkdirSync(path.join(volume.root, '.reelvault'));
      for (const { stream, hour } of [...doomed, ...spared]) volume.reel(stream, run(hour, 2));
      const told: ReelName[] = [];
      const { params, steps } = watched(end, late);
      const note = (reels: readonly ReelName[]): void => void told.push(...reels);
      const failed = await deleteReels(params, doomed, note, never).catch((error: unknown) => error);
      // The removal of an empty directory may fail as it likes.
      assert.ok(failed instanceof Crash || /unlink .*\/\d\d$/.test(steps[end] ?? ''), `${end}: ${failed}`);

      const after = watched();
      const marked = await after.params.catalog.garbage();
      await finishDeleting(after.params);
      assert.deepEqual(await after.params.catalog.garbage(), [], `garbage is left after step ${end}`);
      for (const reel of [...told, ...marked]) assert.ok(!there(reel).includes(true), `step ${end}`);
      const whole = (await after.params.catalog.list()).map(({ stream, hour }) => ({ stream, hour }));
      for (const reel of [...doomed, ...spared]) {
        const listed = whole.some(({ stream, hour }) => stream === reel.stream && hour === reel.hour);
        const [index, , bytes] = there(reel);
        assert.equal(index, listed);
        assert.equal(bytes, listed, `half a reel after step ${end}`);
      }
      for (const reel of spared) assert.ok(there(reel)[0]);
    }
});

test('what must stay by now stays: before it is marked, and after', async () => {
  const { params } = watched();
  let asked = 0;
  // Three before they are marked; the fifth is the one right before the files of the last reel go.
  const mayGo = (): boolean => {
    asked += 1;
    return asked !== 1 && asked !== 5;
  };
  const told: ReelName[] = [];
  const hours = [0, 1, 2].map((at) => ({ stream: 'cam', hour: someHour + at }));
  await deleteReels({ ...params, mayGo }, hours, (reels) => told.push(...reels), never);
  assert.deepEqual(told, [hours[1]]);
  assert.deepEqual(there(hours[0] as ReelName), [true, true, true]);
  assert.deepEqual(there(hours[2] as ReelName), [true, true, true]);
  assert.deepEqual(await params.catalog.garbage(), []);
});

test('garbage that must stay by now is no garbage any more', async () => {
  const { params } = watched();
  await params.catalog.markGarbage(doomed);
  assert.deepEqual(await finishDeleting({ ...params, mayGo: ({ hour }) => hour !== someHour }), doomed.slice(1));
  assert.deepEqual(there(doomed[0] as ReelName), [true, true, true]);
  assert.deepEqual(await params.catalog.garbage(), []);
});

test('a directory that cannot be synced leaves its reels garbage', async () => {
  const { params } = watched();
  const files: DeleteFiles = {
    ...params.files,
    syncDirectory: () => Promise.reject(new ReelError('io-error', { expected: 'a sync', got: 'EIO' })),
  };
  await assert.rejects(deleteReels({ ...params, files }, doomed, nothing, never), { code: 'io-error' });
  assert.deepEqual(await params.catalog.garbage(), doomed.slice(0, 2));
});

test('a reel whose index cannot be unlinked is no garbage any more, and the others go', async () => {
  const { params, steps } = watched();
  const stuck = doomed[0] as ReelName;
  const files: DeleteFiles = {
    ...params.files,
    unlink: (name, options) => {
      if (name === filesOf(stuck)[0])
        throw new ReelError('io-error', { expected: '', got: '', details: { errno: 'EIO' } });
      params.files.unlink(name, options);
    },
  };
  const told: ReelName[] = [];
  await deleteReels({ ...params, files }, doomed, (reels) => told.push(...reels), never);
  assert.deepEqual(told, doomed.slice(1));
  assert.deepEqual(there(stuck), [true, true, true]);
  assert.deepEqual(await params.catalog.garbage(), []);
  await params.catalog.markGarbage([stuck]);
  assert.deepEqual(await finishDeleting({ ...params, files }), []);
  assert.deepEqual(await params.catalog.garbage(), []);
  assert.equal(steps.filter((step) => step === 'stuck 0').length, 2);
});

test('a deletion that is called off ends after the directory it is at', async () => {
  const { params } = watched();
  const off = new AbortController();
  const told: ReelName[] = [];
  const note = (reels: readonly ReelName[]): void => {
    told.push(...reels);
    off.abort();
  };
  await deleteReels(params, doomed, note, off.signal);
  assert.deepEqual(told, doomed.slice(0, 2));
});

test('directories that became empty go, but for those on the way to the hour that is now', async () => {
  const { params } = watched();
  const left = (name: string): boolean => fs.existsSync(path.join(volume.root, 'dvr/cam', name));
  await deleteReels({ ...params, currentHour: hourPath(someHour + day) }, doomed, nothing, never);
  assert.ok(left('2026/11/22'));
  await deleteReels({ ...params, currentHour: hourPath(someHour + 2 * day) }, [doomed[2] as ReelName], nothing, never);
  assert.ok(!left('2026/11/22'));
  await deleteReels(params, [spared[0] as ReelName], nothing, never);
  assert.ok(!left('2026'));
  assert.ok(fs.existsSync(path.join(volume.root, 'dvr/cam')));
});
