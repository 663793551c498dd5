/** Retention over the catalog of a volume, and without it. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Catalog } from '../../../src/archive/catalog/catalog.ts';
import { hourPath, hourUs } from '../../../src/archive/reel.ts';
import { VolumeCatalog } from '../../../src/archive/retention/volume-catalog.ts';
import { VolumeRetention } from '../../../src/archive/retention/volume-retention.ts';
import { allReels, type OpenCatalog, openCatalog } from '../catalog/fixtures.ts';
import { run, segmentsOf, someHour, TemporaryVolume } from '../fixtures.ts';

let volume: TemporaryVolume;
let open: OpenCatalog | undefined;
const now = ((someHour + 20) * hourUs) / 1000;

beforeEach(() => {
  volume = new TemporaryVolume();
  fs.mkdirSync(path.join(volume.root, '.reelvault'));
  for (let at = 0; at < 10; at += 1) volume.reel('cam', run(someHour + at, 3));
});
afterEach(async () => {
  await open?.[Symbol.asyncDispose]();
  open = undefined;
  await volume.remove();
});

const start = async (): Promise<OpenCatalog> => {
  open = openCatalog(volume);
  await open.ready();
  return open;
};
const stop = async (): Promise<void> => {
  await open?.[Symbol.asyncDispose]();
  open = undefined;
};
const over = (rows: Catalog | undefined): VolumeCatalog => new VolumeCatalog({ files: volume.files, rows });
const retentionOver = (rows: Catalog | undefined, at = now): VolumeRetention =>
  new VolumeRetention({
    name: 'main',
    files: volume.files,
    catalog: over(rows),
    readOnly: false,
    facts: () => ({ freeBytes: undefined, bytesPerSecond: 0, reserveBytes: 0 }),
    external: undefined,
    now: () => at,
    elapsed: () => at,
    onPurged: () => {},
    onStuck: () => {},
  });
const reelFile = (at: number): string => path.join(volume.root, `dvr/cam/${hourPath(someHour + at)}.ts`);
const go = { dryRun: false, allowMost: false };
const reel = (at: number) => ({ stream: 'cam', hour: someHour + at });

test('what is deleted has no row any more, and the files are gone', async () => {
  const { catalog } = await start();
  const retention = retentionOver(catalog);
  await retention.changeRules({ maxAgeSeconds: 16 * 3600 });
  assert.equal((await retention.purge(go)).reels, 4);
  assert.deepEqual(
    (await allReels(catalog)).map(({ hour }) => hour - someHour),
    [4, 5, 6, 7, 8, 9],
  );
  assert.ok(!fs.existsSync(reelFile(3)));
  assert.ok(fs.existsSync(reelFile(4)));
});

test('garbage of a crash is finished over the rows of the next start', async () => {
  const first = await start();
  await first.catalog.markGarbage([reel(0), reel(1)]);
  await stop();
  const { catalog } = await start();
  assert.deepEqual(await retentionOver(catalog).resume(), [reel(0), reel(1)]);
  assert.ok(!fs.existsSync(reelFile(0)));
  assert.deepEqual(await over(catalog).garbage(), []);
  assert.equal((await allReels(catalog)).length, 8);
});

test('what was marked and must stay has its row again', async () => {
  const { catalog } = await start();
  const retention = retentionOver(catalog);
  await retention.putEpisode(
    { stream: 'cam', from: someHour * 3600 + 1200, to: someHour * 3600 + 1300, expiresAt: null, note: '' },
    false,
  );
  await catalog.markGarbage([reel(0), reel(1)]);
  assert.deepEqual(await retention.resume(), [reel(1)]);
  assert.ok(fs.existsSync(reelFile(0)));
  const [oldest] = await allReels(catalog);
  assert.deepEqual([oldest?.hour, oldest?.state, oldest?.segments], [someHour, 'closed', 3]);
});

test('a reel whose row says that a writer has it is not taken', async () => {
  const { catalog } = await start();
  await catalog.began('cam');
  catalog.durable('cam', someHour);
  const retention = retentionOver(catalog);
  await retention.changeRules({ maxAgeSeconds: 16 * 3600 });
  assert.equal((await retention.purge(go)).reels, 3);
  assert.ok(fs.existsSync(reelFile(0)));
});

test('while the catalog is being made retention waits; where there is none it walks', async () => {
  const catalog = new Catalog({ files: volume.files });
  assert.equal(over(catalog).building, true);
  await assert.rejects(over(catalog).list(), { code: 'catalog-unavailable' });
  assert.equal(over(undefined).building, false);
  assert.equal((await over(undefined).list()).length, 10);
});

test('where the catalog has failed the walk deletes, and the next catalog knows it', async () => {
  const { catalog } = await start();
  await stop();
  fs.rmSync(path.join(volume.root, '.reelvault/catalog.sqlite'));
  const failed = Object.create(catalog, { state: { value: 'failed' } }) as Catalog;
  const retention = retentionOver(failed);
  await retention.changeRules({ maxAgeSeconds: 16 * 3600 });
  assert.equal((await retention.purge(go)).reels, 4);
  const next = await start();
  assert.equal((await allReels(next.catalog)).length, 6);
});

test('what was marked without rows is garbage with them, too', async () => {
  await over(undefined).markGarbage([reel(0)]);
  const { catalog } = await start();
  assert.equal((await over(catalog).list()).length, 9);
  assert.deepEqual(await retentionOver(catalog).resume(), [reel(0)]);
  assert.deepEqual(await over(catalog).garbage(), []);
  assert.equal((await allReels(catalog)).length, 9);
});

test('a volume that is minutes old wants room by what was recorded, also where nobody measured it', async () => {
  for (let at = 0; at < 10; at += 1) fs.rmSync(path.join(volume.root, `dvr/cam/${hourPath(someHour + at)}.idx`));
  volume.reel('cam', segmentsOf(someHour + 20, [{ at: 0, seconds: 60, length: 6_000_000 }]));
  const { catalog } = await start();
  const retention = retentionOver(catalog, now + 120_000);
  await retention.changeRules({ freeMinutes: 10 });
  const { wantedFreeBytes, bytesPerSecond } = retention.state;
  assert.ok(bytesPerSecond > 50_000 && bytesPerSecond < 51_000, `${bytesPerSecond}`);
  assert.equal(wantedFreeBytes, Math.ceil(bytesPerSecond * 600));
});
