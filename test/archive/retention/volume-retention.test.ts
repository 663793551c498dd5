/** Retention of one volume, a directory here: what it deletes, and what keeps it from deleting. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { hourPath, hourUs } from '../../../src/archive/reel.ts';
import { DirectoryCatalog } from '../../../src/archive/retention/directory-catalog.ts';
import type { Protection } from '../../../src/archive/retention/reels.ts';
import type { PurgedStream } from '../../../src/archive/retention/report.ts';
import { VolumeRetention } from '../../../src/archive/retention/volume-retention.ts';
import { ReelError } from '../../../src/errors.ts';
import { host } from '../../command.ts';
import { run, someHour, TemporaryVolume } from '../fixtures.ts';

let volume: TemporaryVolume;
let now = 0;
let free: number | undefined;
let reserve = 0;
let rate = 0;
let told: PurgedStream[] = [];
let stuck: string[] = [];

beforeEach(() => {
  volume = new TemporaryVolume();
  fs.mkdirSync(path.join(volume.root, '.reelvault'));
  now = ((someHour + 20) * hourUs) / 1000;
  free = undefined;
  reserve = 0;
  rate = 0;
  told = [];
  stuck = [];
});
afterEach(() => volume.remove());

const record = (stream: string, from: number, count: number): void => {
  for (let at = from; at < from + count; at += 1) volume.reel(stream, run(someHour + at, 3));
};

const make = (changes: { readOnly?: boolean; external?: () => Promise<readonly Protection[]> } = {}) =>
  new VolumeRetention({
    name: 'main',
    files: volume.files,
    catalog: new DirectoryCatalog({ files: volume.files }),
    readOnly: changes.readOnly ?? false,
    facts: () => ({ freeBytes: free, bytesPerSecond: rate, reserveBytes: reserve }),
    external: changes.external,
    now: () => now,
    elapsed: () => now,
    onPurged: (purged) => told.push(purged),
    onStuck: (stream, { code, details }) => stuck.push(`${stream} ${code} ${details.errno}`),
  });

/** Hours after `someHour` of which there is a reel. */
const left = async (stream = 'cam'): Promise<number[]> =>
  (await new DirectoryCatalog({ files: volume.files }).list())
    .filter((reel) => reel.stream === stream)
    .map(({ hour }) => hour - someHour)
    .sort((a, b) => a - b);

const second = (hour: number): number => (someHour + hour) * 3600;
const go = { dryRun: false, allowMost: false };
const episode = { stream: 'cam', from: second(2) + 1200, to: second(3) - 1, expiresAt: null, note: '' };
const failing = async (): Promise<never> => {
  throw new ReelError('episodes-unavailable', { expected: 'a list', got: 'none' });
};

test('what is too old goes, is told, and is accounted', async () => {
  record('cam', 0, 10);
  record('old', 0, 3);
  const retention = make();
  await retention.changeRules({ maxAgeSeconds: 16 * 3600 });
  await retention.changeStreamRules('old', { maxAgeSeconds: null });
  const trial = await retention.purge({ ...go, dryRun: true });
  assert.equal(trial.reels, 4);
  assert.equal((await left()).length, 10);
  const report = await retention.purge(go);
  assert.deepEqual({ ...report, dryRun: true }, trial);
  assert.deepEqual(await left(), [4, 5, 6, 7, 8, 9]);
  assert.deepEqual(await left('old'), [0, 1, 2]);
  const [cam] = told;
  assert.deepEqual([cam?.stream, cam?.reels, cam?.from, cam?.to], ['cam', 4, second(0), second(4)]);
  assert.deepEqual(retention.state.purged.age, { reels: 4, bytes: report.bytes });
  assert.equal((await retention.purge(go)).reels, 0);
});

test('without a rule nothing goes', async () => {
  record('cam', 0, 10);
  free = 0;
  rate = 1e9;
  assert.equal((await make().purge(go)).reels, 0);
});

test('what is no reel with an index is never deleted', async () => {
  record('cam', 0, 4);
  fs.rmSync(path.join(volume.root, `dvr/cam/${hourPath(someHour)}.idx`));
  volume.write(`dvr/cam/${hourPath(someHour + 1)}.mp4`, 'a stranger');
  volume.write('vod/film.ts', 'x');
  const retention = make();
  await retention.changeRules({ maxAgeSeconds: 3600 });
  await retention.purge({ ...go, allowMost: true });
  assert.deepEqual(await left(), []);
  for (const name of [`${hourPath(someHour)}.ts`, `${hourPath(someHour + 1)}.mp4`])
    assert.ok(fs.existsSync(path.join(volume.root, 'dvr/cam', name)));
  assert.ok(fs.existsSync(path.join(volume.root, 'vod/film.ts')));
});

test('a purge of more than half is refused whole, until it is allowed', async () => {
  record('cam', 0, 10);
  const retention = make();
  await retention.changeRules({ maxAgeSeconds: 3600 });
  assert.equal((await retention.purge({ ...go, dryRun: true })).takesMost, true);
  await assert.rejects(retention.purge(go), { code: 'purge-too-large' });
  await assert.rejects(retention.thin({ ...go, bytes: 1e9, urgency: 4 }), { code: 'purge-too-large' });
  assert.equal((await left()).length, 10);
  await retention.purge({ ...go, allowMost: true });
  assert.deepEqual(await left(), []);
});

test('a clock that jumps ahead deletes nothing', async () => {
  record('cam', 0, 20);
  const retention = make();
  await retention.changeRules({ maxAgeSeconds: 18 * 3600 });
  now += 365 * 86_400_000;
  await assert.rejects(retention.purge(go), { code: 'purge-too-large' });
  now -= 365 * 86_400_000;
  assert.equal((await retention.purge(go)).reels, 2);
});

test('room is kept for the minutes that are wanted, at the bitrate that was measured', async () => {
  record('cam', 0, 10);
  const reel = 8192; // two blocks: reel and index
  const retention = make();
  await retention.changeRules({ freeMinutes: 10 });
  rate = 100;
  free = 60_000;
  assert.equal((await retention.purge(go)).reels, 0);
  free = 60_000 - reel - 1;
  const report = await retention.purge(go);
  assert.equal(report.reels, 2);
  assert.deepEqual(await left(), [2, 3, 4, 5, 6, 7, 8, 9]);
  // The blocks are not back yet: nothing more goes for the same need.
  rate = 0;
  await retention.changeRules({ freeMinutes: null, freeBytes: 1_048_576 });
  assert.equal(retention.state.wantedFreeBytes, 1_048_576);
});

test('where room is kept at all, it is enough for recording to go on; without such a rule nothing goes', async () => {
  record('cam', 0, 10);
  const retention = make();
  reserve = 1_048_576;
  free = 2 * reserve - 1;
  await retention.changeRules({ maxAgeSeconds: 100 * 3600 });
  assert.equal((await retention.purge(go)).reels, 0);
  await retention.changeRules({ freeBytes: reserve });
  assert.equal((await retention.purge(go)).reels, 1);
  assert.equal(retention.state.wantedFreeBytes, 2 * reserve);
});

test('the books follow a rule that is changed or taken away', async () => {
  record('cam', 0, 2);
  const retention = make();
  const books = () => {
    const { held, short, wantedFreeBytes } = retention.state;
    return { streams: held.length, short, wanted: wantedFreeBytes };
  };
  free = 1_048_576;
  await retention.changeRules({ freeBytes: 3 * free });
  assert.deepEqual(books(), { streams: 0, short: 0, wanted: 3 * free });
  await retention.purge({ ...go, allowMost: true });
  assert.deepEqual(books(), { streams: 1, short: 2 * free - 2 * 8192, wanted: 3 * free });
  await retention.changeRules({ freeBytes: free + 8192 });
  assert.deepEqual(books(), { streams: 1, short: 8192, wanted: free + 8192 });
  await retention.changeRules({ freeBytes: null });
  assert.deepEqual(books(), { streams: 0, short: 0, wanted: 0 });
});

test('a volume that is opened knows what its rules want before anything is deleted', async () => {
  const { freeBytes } = await make().changeRules({ freeBytes: 1_048_576 });
  const retention = make();
  await retention.rules();
  assert.equal(retention.state.wantedFreeBytes, freeBytes);
});

test('what was just deleted counts as free before the filesystem says so', async () => {
  record('cam', 0, 10);
  const retention = make();
  await retention.changeRules({ freeBytes: 1_048_576 });
  free = 1_048_576 - 2 * 8192;
  assert.equal((await retention.purge(go)).reels, 2);
  now += 60_000;
  assert.equal((await retention.purge(go)).reels, 0);
  now += 600_000;
  assert.equal((await retention.purge(go)).reels, 2);
});

test('an episode keeps the reels it touches, until it expires', async () => {
  record('cam', 0, 10);
  const retention = make();
  await retention.changeRules({ maxAgeSeconds: 16 * 3600 });
  const expiresAt = now / 1000 + 60;
  await retention.putEpisode({ ...episode, id: 'final', expiresAt }, false);
  await retention.purge(go);
  assert.deepEqual(await left(), [2, 4, 5, 6, 7, 8, 9]);
  await retention.thin({ dryRun: false, allowMost: true, bytes: 1e9, urgency: 4 });
  assert.deepEqual(await left(), [2]);
  now += 60_000;
  await retention.purge(go);
  assert.deepEqual(await left(), []);
});

test('a leased range stays until it is given back', async () => {
  record('cam', 0, 10);
  const retention = make();
  await retention.changeRules({ maxAgeSeconds: 16 * 3600 });
  const giveBack = retention.lease('cam', (someHour + 1) * hourUs + hourUs / 2, (someHour + 3) * hourUs);
  await retention.purge(go);
  assert.deepEqual(await left(), [1, 2, 4, 5, 6, 7, 8, 9]);
  giveBack();
  await retention.purge(go);
  assert.deepEqual(await left(), [4, 5, 6, 7, 8, 9]);
});

test('the reel that a writer has open stays, and one whose recovery has not succeeded', async () => {
  record('cam', 0, 10);
  volume.write('.reelvault/open/cam', `dvr/cam/${hourPath(someHour + 2)}.ts`);
  const retention = make();
  await retention.changeRules({ maxAgeSeconds: 16 * 3600 });
  await retention.purge(go);
  assert.deepEqual(await left(), [2, 3, 4, 5, 6, 7, 8, 9]);
});

test('nothing goes while the list of episodes cannot be had: lost, damaged, or of another system that is silent', async () => {
  record('cam', 0, 10);
  const list = path.join(volume.root, '.reelvault/episodes.json');
  const retention = make();
  await retention.changeRules({ maxAgeSeconds: 16 * 3600 });
  const written = fs.readFileSync(list);
  fs.rmSync(list);
  const refused = async (one: VolumeRetention): Promise<void> => {
    await assert.rejects(one.purge(go), { code: 'episodes-unavailable' });
    await assert.rejects(one.thin({ ...go, bytes: 1, urgency: 4 }), { code: 'episodes-unavailable' });
  };
  await refused(retention);
  for (const damage of ['', '{', '{"layout":1}', '{"layout":2,"episodes":[]}']) {
    fs.writeFileSync(list, damage);
    await refused(retention);
  }
  fs.writeFileSync(list, written);
  await refused(make({ external: failing }));
  assert.equal((await left()).length, 10);
  assert.equal((await retention.purge(go)).reels, 4);
});

test('the ranges of another system are kept', async () => {
  record('cam', 0, 10);
  const kept: Protection = {
    stream: 'cam',
    fromUs: (someHour + 1.5) * hourUs,
    toUs: (someHour + 2) * hourUs,
    kind: 'episode',
  };
  const retention = make({ external: async () => [kept] });
  await retention.changeRules({ maxAgeSeconds: 16 * 3600 });
  await retention.purge(go);
  assert.deepEqual(await left(), [1, 4, 5, 6, 7, 8, 9]);
});

test('an episode that is added while a purge goes on protects what is not deleted yet', async () => {
  record('cam', 0, 18); // the reels from 14 on are of the next day
  const retention = make();
  await retention.changeRules({ maxAgeSeconds: 3600 });
  const { files } = volume;
  const sync = files.syncDirectory.bind(files);
  let added: Promise<unknown> | undefined;
  files.syncDirectory = async (name) => {
    if (name?.startsWith('dvr/')) {
      added ??= retention.putEpisode({ ...episode, from: second(15) + 1200, to: second(16) - 1 }, false);
      await added;
    }
    return sync(name);
  };
  await retention.purge({ ...go, allowMost: true });
  assert.deepEqual(await left(), [15]);
});

test('a deletion that a crash cut off is finished when the volume is attached', async () => {
  record('cam', 0, 4);
  const reel = { stream: 'cam', hour: someHour };
  await new DirectoryCatalog({ files: volume.files }).markGarbage([reel]);
  fs.rmSync(path.join(volume.root, `dvr/cam/${hourPath(someHour)}.idx`));
  assert.deepEqual(await make().resume(), [reel]);
  assert.ok(!fs.existsSync(path.join(volume.root, `dvr/cam/${hourPath(someHour)}.ts`)));
  assert.deepEqual(await make().resume(), []);
});

test('into a volume that is open read-only nothing is written', async () => {
  record('cam', 0, 10);
  const retention = make({ readOnly: true });
  const refused = { code: 'volume-state' };
  await assert.rejects(async () => retention.purge(go), refused);
  await assert.rejects(async () => retention.changeRules({ maxAgeSeconds: 3600 }), refused);
  await assert.rejects(async () => retention.putEpisode(episode, false), refused);
  assert.deepEqual(await retention.resume(), []);
  assert.equal((await retention.thin({ dryRun: true, allowMost: false, bytes: 1, urgency: 4 })).reels, 1);
  assert.deepEqual(fs.readdirSync(path.join(volume.root, '.reelvault')), []);
});

test('rules that were not written by the service delete nothing', async () => {
  record('cam', 0, 10);
  volume.write('.reelvault/retention.json', '{"layout":1,"rules":{"maxAgeSeconds":1}}');
  await assert.rejects(make().purge(go), { code: 'archive-damaged' });
  assert.equal((await left()).length, 10);
});

test('a reel that the storage does not let go of stays as a whole, is told once, and others go in its place', async () => {
  record('cam', 0, 10);
  const retention = make();
  await retention.changeRules({ freeBytes: 1_048_576 });
  free = 1_048_576 - 1;
  const index = path.join(volume.root, `dvr/cam/${hourPath(someHour)}.idx`);
  await host('chattr', ['+i', index]);
  try {
    assert.equal((await retention.purge(go)).reels, 0);
    assert.equal((await retention.purge(go)).reels, 1);
    await retention.thin({ ...go, bytes: 1, urgency: 4 });
  } finally {
    await host('chattr', ['-i', index]);
  }
  assert.deepEqual(await left(), [0, 3, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual(stuck, ['cam io-error EPERM']);
});
