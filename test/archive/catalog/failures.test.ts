import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { CatalogReel } from '../../../src/archive/catalog/catalog-reel.ts';
import { hourPath, hourUs } from '../../../src/archive/reel.ts';
import { run, someHour, TemporaryVolume } from '../fixtures.ts';
import { allReels, openCatalog } from './fixtures.ts';

let volume: TemporaryVolume;
beforeEach(() => {
  volume = new TemporaryVolume();
});
afterEach(() => volume.remove());

const file = (): string => path.join(volume.root, '.reelvault/catalog.sqlite');
const start = someHour * hourUs;

const byName = (reels: readonly CatalogReel[]): CatalogReel[] =>
  reels.toSorted((a, b) => `${a.stream} ${a.hour}`.localeCompare(`${b.stream} ${b.hour}`));

/** What a rebuild from nothing makes of the reels. */
const rebuiltReels = async (): Promise<CatalogReel[]> => {
  fs.rmSync(file());
  await using opened = openCatalog(volume);
  await opened.ready();
  return byName(await allReels(opened.catalog));
};

test('killed in the middle of its writes, the catalog is in accord with the reels at the next start', async () => {
  for (let round = 0; round < 4; round += 1) {
    const script = path.join(import.meta.dirname, 'killed-child.ts');
    const child = spawn(process.execPath, [script, volume.root], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const hours = 5 + 20 * round;
    const last = path.join(volume.root, `dvr/door/${hourPath(someHour + hours)}.idx`);
    while (!fs.existsSync(last)) await new Promise((resolve) => setImmediate(resolve));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const log = `${file()}-wal`;
    assert.ok(fs.statSync(log).size > 0, 'it was killed with a log that was not taken back');
    // As recovery leaves the reel that was cut off in the middle of its index: whole segments only.
    let found: CatalogReel[];
    {
      await using opened = openCatalog(volume);
      await opened.ready();
      found = byName(await allReels(opened.catalog));
      assert.ok(found.every(({ state }) => state === 'closed'));
    }
    assert.deepEqual(found, await rebuiltReels());
    fs.rmSync(path.join(volume.root, 'dvr'), { recursive: true });
    fs.rmSync(file());
  }
});

test('a page that rots is found when it is read: the catalog is made anew and knows what is being recorded', async () => {
  for (let hour = someHour; hour < someHour + 200; hour += 1) volume.reel('cam', run(hour, 2));
  {
    await using opened = openCatalog(volume);
    await opened.ready();
  }
  const bytes = fs.readFileSync(file());
  bytes.fill(0xa5, 4096 * 4);
  fs.writeFileSync(file(), bytes);
  await using opened = openCatalog(volume);
  await opened.catalog.began('cam');
  volume.reel('cam', run(someHour + 200, 2));
  opened.catalog.durable('cam', someHour + 200);
  await allReels(opened.catalog).catch(() => []);
  await opened.ready();
  assert.ok(opened.states.includes('rebuilding'), opened.states.join());
  const reels = await opened.catalog.list({ limit: 1000 });
  assert.equal(reels.length, 201);
  assert.equal(reels.at(-1)?.state, 'open');
});

test('a disk that keeps the catalog waiting keeps nobody else waiting', async () => {
  volume.reel('cam', run(someHour, 10));
  const fifo = path.join(volume.root, `dvr/aaa/${hourPath(someHour)}.idx`);
  fs.mkdirSync(path.dirname(fifo), { recursive: true });
  execFileSync('mkfifo', [fifo]);
  const opened = openCatalog(volume);
  try {
    // Nothing is read from a FIFO that nobody writes into: the thread stands still in an open(2) until this test writes.
    while (!opened.states.includes('rebuilding')) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await opened.archive.ranges('cam', start, start + hourUs), [
      { startUs: start, endUs: start + 20e6 },
    ]);
    await opened.catalog.began('cam');
    await assert.rejects(allReels(opened.catalog), { code: 'catalog-unavailable' });
  } finally {
    fs.closeSync(fs.openSync(fifo, 'w'));
    await opened.ready();
    await opened.archive.close();
  }
});

test('deleting that a crash cut off at any step leaves no reel without a row but one that is kept', async () => {
  const gone = { stream: 'cam', hour: someHour + 1 };
  const paths = ['idx', 'ts'].map((kind) => path.join(volume.root, `dvr/cam/${hourPath(gone.hour)}.${kind}`));
  const steps: ((mark: () => Promise<unknown>) => Promise<unknown>)[] = [
    async (mark) => mark(),
    async () => fs.rmSync(paths[0] ?? ''),
    async () => fs.rmSync(paths[1] ?? ''),
  ];
  for (let crash = 0; crash <= steps.length; crash += 1) {
    for (let hour = someHour; hour < someHour + 3; hour += 1) volume.reel('cam', run(hour, 5));
    {
      await using opened = openCatalog(volume);
      await opened.ready();
      for (const step of steps.slice(0, crash)) await step(() => opened.catalog.markGarbage([gone]));
    }
    await using again = openCatalog(volume);
    await again.ready();
    assert.deepEqual(again.states, ['ready']);
    const garbage = await again.catalog.list({ states: ['garbage'], limit: 10 });
    assert.deepEqual(
      garbage.map(({ hour }) => hour),
      crash === 0 ? [] : [gone.hour],
      'after the first step a start finds what is to be deleted, and before it nothing',
    );
    const ranges = await again.archive.ranges('cam', start, start + 9 * hourUs);
    assert.equal(ranges.length, crash === 0 ? 3 : 2, 'garbage is answered by nothing');
    for (const gonePath of paths) fs.rmSync(gonePath, { force: true });
    await again.catalog.drop([gone]);
    assert.deepEqual(
      (await allReels(again.catalog)).map(({ hour, state }) => [hour, state]),
      [
        [someHour, 'closed'],
        [someHour + 2, 'closed'],
      ],
    );
    await again.archive.close();
    fs.rmSync(file());
  }
});

test('a reel that is open, unknown, or still there is never taken for deleted', async () => {
  for (let hour = someHour; hour < someHour + 3; hour += 1) volume.reel('cam', run(hour, 5));
  await using opened = openCatalog(volume);
  await opened.ready();
  const { catalog } = opened;
  await catalog.began('cam');
  catalog.durable('cam', someHour + 2);
  const [kept, anew, open] = [0, 1, 2].map((at) => ({ stream: 'cam', hour: someHour + at }));
  const unknown = { stream: 'none', hour: someHour };
  assert.deepEqual(await catalog.markGarbage([kept, anew, open, unknown] as never), [kept, anew]);
  catalog.durable('cam', someHour + 1);
  await catalog.drop([kept, anew, open] as never);
  assert.deepEqual(
    (await allReels(catalog)).map(({ state }) => state),
    ['closed', 'open', 'closed'],
  );
});
