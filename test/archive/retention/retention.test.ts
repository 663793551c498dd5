/** The passes over all volumes, and what they tell. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import pino from 'pino';
import { hourUs } from '../../../src/archive/reel.ts';
import { DirectoryCatalog } from '../../../src/archive/retention/directory-catalog.ts';
import { RateMeter } from '../../../src/archive/retention/rate.ts';
import { Retention, type RetentionNews } from '../../../src/archive/retention/retention.ts';
import { run, someHour, TemporaryVolume } from '../fixtures.ts';

let volume: TemporaryVolume;
let elapsed = 0;
let news: RetentionNews[] = [];
const now = ((someHour + 20) * hourUs) / 1000;
const episodes = (): string => path.join(volume.root, '.reelvault/episodes.json');

beforeEach(() => {
  volume = new TemporaryVolume();
  fs.mkdirSync(path.join(volume.root, '.reelvault'));
  for (let at = 0; at < 10; at += 1) volume.reel('cam', run(someHour + at, 3));
  news = [];
  elapsed = 0;
});
afterEach(() => volume.remove());

const make = async (readOnly = false): Promise<Retention> => {
  const retention = new Retention({
    facts: () => ({ freeBytes: undefined, bytesPerSecond: 0, reserveBytes: 0 }),
    external: undefined,
    onNews: (one) => news.push(one),
    log: pino({ level: 'silent' }),
    now: () => now,
    elapsed: () => elapsed,
  });
  const { files } = volume;
  await retention.attach({ name: 'main', files, catalog: new DirectoryCatalog({ files }), readOnly });
  return retention;
};
const reels = async (): Promise<number> => (await new DirectoryCatalog({ files: volume.files }).list()).length;

test('a pass deletes what the rules say and tells it by stream', async () => {
  const retention = await make();
  await retention.pass();
  assert.equal(news.length, 0);
  await retention.of('main').changeRules({ maxAgeSeconds: 16 * 3600 });
  await retention.pass();
  assert.equal(await reels(), 6);
  assert.deepEqual(
    news.map(({ type, volume: name, stream }) => [type, name, stream]),
    [['archive.purged', 'main', 'cam']],
  );
  assert.deepEqual(news[0]?.facts.rules, { age: 4 });
  assert.equal(retention.states[0]?.purged.age?.reels, 4);
  await retention.close();
});

test('a volume that is full does not wait for its turn', async () => {
  const retention = await make();
  await retention.pass();
  await retention.of('main').changeRules({ maxAgeSeconds: 16 * 3600 });
  retention.hurry('main');
  retention.hurry('unknown');
  for (let turn = 0; turn < 500 && (await reels()) > 6; turn += 1)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(await reels(), 6);
  await retention.close();
});

test('what keeps a pass from deleting is told once, and when it is over', async () => {
  const retention = await make();
  await retention.of('main').changeRules({ maxAgeSeconds: 16 * 3600 });
  const list = fs.readFileSync(episodes());
  fs.rmSync(episodes());
  for (let pass = 0; pass < 3; pass += 1) await retention.pass();
  assert.equal(retention.problem('main')?.code, 'episodes-unavailable');
  assert.equal(retention.states[0]?.problem, 'episodes-unavailable');
  fs.writeFileSync(episodes(), list);
  await retention.pass();
  assert.equal(retention.problem('main'), null);
  assert.deepEqual(
    news.map(({ type, facts }) => [type, facts.code]),
    [
      ['archive.purge.stopped', 'episodes-unavailable'],
      ['archive.purged', undefined],
      ['archive.purge.resumed', undefined],
    ],
  );
  await retention.close();
});

test('after a pass that took long there is rest', async () => {
  const retention = await make();
  await retention.of('main').changeRules({ maxAgeSeconds: 16 * 3600 });
  const { files } = volume;
  const readdir = files.readdir.bind(files);
  files.readdir = (name) => {
    elapsed += 100;
    return readdir(name);
  };
  await retention.pass();
  const took = elapsed;
  volume.reel('cam', run(someHour, 3));
  elapsed = took * 50 - 1;
  await retention.pass();
  assert.equal(await reels(), 7);
  elapsed = took * 51;
  await retention.pass();
  assert.equal(await reels(), 6);
  await retention.close();
});

test('a volume that was let go of is left alone, and one that is read-only', async () => {
  const retention = await make();
  await retention.of('main').changeRules({ maxAgeSeconds: 16 * 3600 });
  const former = retention.of('main');
  await retention.detach('main');
  await retention.detach('main');
  assert.throws(() => retention.of('main'), { code: 'volume-state' });
  await assert.rejects(async () => former.purge({ dryRun: false, allowMost: false }), { code: 'volume-state' });
  await retention.pass();
  const readOnly = await make(true);
  await readOnly.pass();
  assert.equal(readOnly.problem('main'), null);
  assert.equal(await reels(), 10);
});

test('letting go waits for the deletion that is under way', async () => {
  const retention = await make();
  await retention.of('main').changeRules({ maxAgeSeconds: 16 * 3600 });
  const { files } = volume;
  const sync = files.syncDirectory.bind(files);
  let synced = false;
  let letGo: Promise<void> | undefined;
  files.syncDirectory = async (name) => {
    letGo ??= retention.detach('main').then(() => assert.ok(synced));
    await sync(name);
    synced = true;
  };
  await retention.pass();
  await letGo;
  assert.ok(letGo !== undefined);
  assert.deepEqual(await new DirectoryCatalog({ files }).garbage(), []);
});

test('the rate is that of whole minutes, ten at most', () => {
  let at = 30_000;
  const meter = new RateMeter(() => at);
  assert.equal(meter.bytesPerSecond('main'), 0);
  meter.add('main', 6000);
  assert.equal(meter.bytesPerSecond('main'), 0);
  at = 60_000;
  assert.equal(meter.bytesPerSecond('main'), 100);
  at = 120_000;
  assert.equal(meter.bytesPerSecond('main'), 50);
  assert.equal(meter.bytesPerSecond('other'), 0);
  at = 660_000;
  assert.equal(meter.bytesPerSecond('main'), 0, 'long ago');
  meter.add('main', 60_000);
  at = 720_000;
  assert.equal(meter.bytesPerSecond('main'), 100);
});
