import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { VolumeArchive } from '../../../src/archive/archive.ts';
import { hourPath, hourUs } from '../../../src/archive/reel.ts';
import { run, segmentsOf, someHour, TemporaryVolume } from '../fixtures.ts';
import { allReels, openCatalog } from './fixtures.ts';

let volume: TemporaryVolume;
beforeEach(() => {
  volume = new TemporaryVolume();
});
afterEach(() => volume.remove());

const start = someHour * hourUs;
const file = (): string => path.join(volume.root, '.reelvault/catalog.sqlite');

/** Forty segments that fill the hour. */
const full = (hour: number) =>
  segmentsOf(
    hour,
    Array.from({ length: 40 }, (_, at) => ({ at: at * 90, seconds: 90 })),
  );

/** Two streams over three days, with gaps, an empty index, a damaged one, and one that reaches into the next hour. */
const fill = (): void => {
  for (const stream of ['cam', 'door'])
    for (let hour = someHour; hour < someHour + 60; hour += 1) volume.reel(stream, full(hour));
  volume.reel('cam', segmentsOf(someHour + 1, [{ at: 3 }, { at: 5 }, { at: 100 }, { at: 3599, seconds: 6 }]));
  volume.reel('cam', segmentsOf(someHour + 2, [{ at: 5 }, { at: 7 }]));
  volume.write(`dvr/door/${hourPath(someHour + 9)}.idx`, 'no index');
};

test('a new catalog is made from the reels, and the next start finds it ready', async () => {
  fill();
  {
    await using opened = openCatalog(volume);
    await opened.ready();
    const reels = await allReels(opened.catalog);
    assert.equal(reels.length, 120);
    assert.deepEqual(
      reels.map(({ hour }) => hour - someHour),
      Array.from({ length: 120 }, (_, at) => at >> 1),
    );
    const first = reels.find(({ stream }) => stream === 'cam');
    assert.deepEqual(first, {
      stream: 'cam',
      hour: someHour,
      bytes: 40 * 188 + 41 * 96,
      segments: 40,
      firstUs: start,
      lastUs: start + hourUs,
      state: 'closed',
      flags: 0,
    });
    assert.equal(reels.find(({ stream, hour }) => stream === 'cam' && hour === someHour + 1)?.flags, 1);
    assert.equal(reels.find(({ stream, hour }) => stream === 'door' && hour === someHour + 9)?.flags, 2);
    assert.deepEqual(opened.states, ['rebuilding', 'ready']);
  }
  await using again = openCatalog(volume);
  await again.ready();
  assert.deepEqual(again.states, ['ready']);
  assert.equal((await allReels(again.catalog)).length, 120);
});

test('the catalog answers ranges as the reels do, and after a close the reels answer alone', async () => {
  fill();
  await using opened = openCatalog(volume);
  await opened.ready();
  const plain = new VolumeArchive({ files: volume.files });
  const ends = [
    0,
    1,
    3e6,
    4e6,
    hourUs,
    hourUs + 5e6,
    2 * hourUs - 1e6,
    2 * hourUs + 5e6,
    2 * hourUs + 8e6,
    70 * hourUs,
  ];
  for (const from of ends)
    for (const to of ends.filter((end) => end > from))
      for (const stream of ['cam', 'door', 'none'])
        assert.deepEqual(
          await opened.archive.ranges(stream, start + from, start + to),
          await plain.ranges(stream, start + from, start + to),
          `${stream} ${from} ${to}`,
        );
  await opened.archive.close();
  assert.equal((await opened.archive.ranges('door', start, start + 70 * hourUs)).length, 2);
});

test('rows that follow a recording are those that a rebuild makes', async () => {
  let incremental: unknown;
  {
    await using opened = openCatalog(volume);
    await opened.ready();
    const { catalog } = opened;
    await catalog.began('cam');
    for (let hour = someHour; hour < someHour + 3; hour += 1) {
      volume.reel('cam', run(hour, 10 + hour - someHour));
      catalog.durable('cam', hour);
    }
    const states = (await allReels(catalog)).map(({ state }) => state);
    assert.deepEqual(states, ['closed', 'closed', 'open']);
    await catalog.ended('cam', true);
    await catalog.began('cam');
    volume.reel('cam', run(someHour + 2, 50));
    catalog.durable('cam', someHour + 2);
    assert.equal((await allReels(catalog)).at(-1)?.state, 'open');
    await catalog.ended('cam', true);
    incremental = await allReels(catalog);
  }
  fs.rmSync(file());
  await using rebuilt = openCatalog(volume);
  await rebuilt.ready();
  assert.deepEqual(await allReels(rebuilt.catalog), incremental);
});

test('what is being recorded is answered by its index and hidden as far as it is not durable', async () => {
  volume.reel('cam', full(someHour));
  await using opened = openCatalog(volume);
  await opened.ready();
  const { catalog, archive } = opened;
  await catalog.began('cam');
  const segments = run(someHour + 1, 10);
  volume.reel('cam', segments);
  archive.showUpTo('cam', segments[3]?.startUs ?? 0);
  catalog.durable('cam', someHour + 1);
  const ranges = () => archive.ranges('cam', 0, start + 9 * hourUs);
  assert.deepEqual(await ranges(), [{ startUs: start, endUs: start + hourUs + 8e6 }]);
  archive.showAll('cam');
  await catalog.ended('cam', true);
  assert.deepEqual(await ranges(), [{ startUs: start, endUs: start + hourUs + 20e6 }]);
});

test('a reel that begins to grow while the catalog is asked is read as it is then', async () => {
  volume.reel('cam', run(someHour, 10));
  await using opened = openCatalog(volume);
  await opened.ready();
  const { archive } = opened;
  const asked = archive.ranges('cam', start + 5e6, start + hourUs);
  const grown = run(someHour, 50);
  volume.reel('cam', grown);
  archive.showUpTo('cam', grown[39]?.startUs ?? 0);
  assert.deepEqual(await asked, [{ startUs: start + 4e6, endUs: start + 80e6 }]);
});

test('a damaged index at the end of a span is told once and does not keep the rest from being answered', async () => {
  for (let hour = someHour; hour < someHour + 3; hour += 1) volume.reel('cam', full(hour));
  await using opened = openCatalog(volume);
  await opened.ready();
  volume.write(`dvr/cam/${hourPath(someHour)}.idx`, 'no index');
  const told: number[] = [];
  const archive = new VolumeArchive({
    files: volume.files,
    catalog: opened.catalog,
    onDamaged: (_stream, hour) => told.push(hour),
  });
  for (let round = 0; round < 2; round += 1)
    assert.deepEqual(await archive.ranges('cam', start + 1e6, start + 3 * hourUs), [
      { startUs: start + hourUs, endUs: start + 3 * hourUs },
    ]);
  assert.deepEqual(told, [someHour]);
});

test('after a crash the reels of the streams that were being recorded are looked at again', async () => {
  for (const stream of ['cam', 'door']) volume.reel(stream, run(someHour, 10));
  {
    await using opened = openCatalog(volume);
    await opened.ready();
    await opened.catalog.began('cam');
    opened.catalog.durable('cam', someHour + 1);
    await opened.catalog.ended('cam', false);
  }
  for (const hour of [someHour + 1, someHour + 2]) volume.reel('cam', run(hour, 5));
  await using again = openCatalog(volume);
  await again.ready();
  assert.deepEqual(again.states, ['ready']);
  assert.deepEqual(
    (await again.catalog.list({ stream: 'cam', limit: 10 })).map(({ hour, segments, state }) => [
      hour - someHour,
      segments,
      state,
    ]),
    [
      [0, 10, 'closed'],
      [1, 5, 'closed'],
      [2, 5, 'closed'],
    ],
  );
});

test('a file that is no catalog is made anew, one of another version too', async () => {
  fill();
  for (const broken of [Buffer.alloc(8192, 7), Buffer.from('SQLite format 3\0')]) {
    fs.mkdirSync(path.dirname(file()), { recursive: true });
    fs.writeFileSync(file(), broken);
    await using opened = openCatalog(volume);
    await opened.ready();
    assert.equal((await allReels(opened.catalog)).length, 120);
  }
});

test('a rebuild that is asked for finds what was laid in and taken away by hand, beside a recording', async () => {
  fill();
  await using opened = openCatalog(volume);
  await opened.ready();
  const { catalog } = opened;
  await catalog.began('cam');
  volume.reel('cam', run(someHour + 60, 5));
  catalog.durable('cam', someHour + 60);
  const deleted = { stream: 'door', hour: someHour + 3 };
  await catalog.markGarbage([deleted]);
  volume.reel('garden', run(someHour, 5));
  for (const kind of ['idx', 'ts']) fs.rmSync(path.join(volume.root, `dvr/door/${hourPath(someHour + 1)}.${kind}`));
  assert.equal((await allReels(catalog)).length, 121);

  await catalog.rebuild();
  await catalog.rebuild(); // the one under way goes on
  await opened.ready();
  assert.deepEqual(opened.states, ['rebuilding', 'ready', 'rebuilding', 'ready']);
  assert.deepEqual(catalog.lastRebuild, { why: 'it was asked for', streams: 3, streamsDone: 3, reels: 121 });
  const reels = await allReels(catalog);
  assert.equal(reels.length, 121);
  assert.ok(reels.some(({ stream }) => stream === 'garden'));
  assert.deepEqual(
    reels.filter(({ state }) => state !== 'closed').map(({ stream, hour, state }) => [stream, hour - someHour, state]),
    [
      ['door', 3, 'garbage'],
      ['cam', 60, 'open'],
    ],
  );
  await catalog.ended('cam', true);
  assert.equal((await allReels(catalog)).at(-1)?.state, 'closed');
});

test('a link in the place of the database is not followed', async () => {
  const outside = path.join(volume.root, 'outside');
  fs.mkdirSync(path.dirname(file()), { recursive: true });
  fs.symlinkSync(outside, file());
  await using opened = openCatalog(volume);
  await assert.rejects(opened.ready());
  assert.equal(fs.existsSync(outside), false);
  await assert.rejects(allReels(opened.catalog), { code: 'catalog-unavailable' });
  await opened.catalog.rebuild();
  await opened.ready();
  assert.deepEqual(await allReels(opened.catalog), [], 'a failed one comes back when a rebuild is asked for');
});

test('pages follow each other in order of age', async () => {
  fill();
  await using opened = openCatalog(volume);
  await opened.ready();
  const all = await allReels(opened.catalog);
  const paged: unknown[] = [];
  for (let after: (typeof all)[number] | undefined; ; ) {
    const page = await opened.catalog.list({ limit: 7, ...(after === undefined ? {} : { after }) });
    paged.push(...page);
    after = page.at(-1);
    if (after === undefined) break;
  }
  assert.deepEqual(paged, all);
  assert.equal((await opened.catalog.list({ stream: 'door', limit: 1000 })).length, 60);
  assert.deepEqual(await opened.catalog.list({ states: ['open', 'garbage'], limit: 10 }), []);
  const totals = await opened.catalog.totals();
  assert.deepEqual(
    totals.map(({ stream, reels, oldest }) => [stream, reels, oldest]),
    [
      ['cam', 60, someHour],
      ['door', 60, someHour],
    ],
  );
  assert.equal(
    totals[0]?.bytes,
    all.filter(({ stream }) => stream === 'cam').reduce((sum, { bytes }) => sum + bytes, 0),
  );
});

test('a closed catalog leaves no descriptor and no log behind', async () => {
  fill();
  const before = fs.readdirSync('/proc/self/fd').length;
  const opened = openCatalog(volume);
  await opened.ready();
  await opened.archive.close();
  assert.equal(fs.readdirSync('/proc/self/fd').length, before);
  await assert.rejects(opened.catalog.rebuild(), { code: 'catalog-unavailable' });
  assert.deepEqual(fs.readdirSync(path.dirname(file())), ['catalog.sqlite']);
});
