/** A disk that does not give back one index, or one directory: that is passed over, everything else is served and recorded. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { VolumeArchive } from '../../src/archive/archive.ts';
import { hourPath, indexPath } from '../../src/archive/reel.ts';
import { endUs, type Segment } from '../../src/archive/segment.ts';
import { explained } from '../../src/datapath/failure.ts';
import type { Jail } from '../../src/datapath/jail.ts';
import { ReelError } from '../../src/errors.ts';
import { uuid } from '../ingest/host.ts';
import { RecordedVolume, tenOClock } from './recorded.ts';

let volume: RecordedVolume;
before(async () => {
  volume = await RecordedVolume.start();
  for (const stream of ['cam', 'other'])
    for (const hour of [0, 1]) await volume.record(stream, tenOClock + hour, { evidence: false });
});
after(() => volume.stop());

/** The volume with EIO for one file or directory, as the kernel says it. */
const withBad = (jail: Jail, bad: string): Jail => {
  const fail = (): never =>
    explained('volume main', 'read', bad, () => {
      throw Object.assign(new Error('i/o error'), { code: 'EIO' });
    });
  const open = (name: string, flags: number, mode?: number): number =>
    name === bad ? fail() : jail.open(name, flags, mode);
  const readdir = (name?: string) => (name === bad ? fail() : jail.readdir(name));
  return new Proxy(jail, {
    get: (_, key) => {
      if (key === 'open') return open;
      if (key === 'readdir') return readdir;
      const found: unknown = Reflect.get(jail, key, jail);
      return typeof found === 'function' ? found.bind(jail) : found;
    },
  });
};

test('the other hours are served, the start goes on, and the stream is recorded behind the bad hour', async () => {
  const { recorder, jail } = volume.host;
  await recorder.detachVolume('main', { drain: true });
  const bad = tenOClock + 1;
  await recorder.attachVolume({ name: 'main', uuid, jail: withBad(jail, indexPath('cam', bad)) });
  const hoursOf = async (stream: string): Promise<number[]> =>
    (await Array.fromAsync(recorder.archive(stream).parts(stream, 0, Number.MAX_SAFE_INTEGER))).map(({ hour }) => hour);
  assert.deepEqual(await hoursOf('cam'), [tenOClock]);
  assert.deepEqual(await hoursOf('other'), [tenOClock, bad]);
  await volume.record('cam', bad + 1, { evidence: false });
  assert.deepEqual(await hoursOf('cam'), [tenOClock, bad + 1]);
  // A clock that was set back into the bad hour: what is in it cannot be looked at, and must not be overlapped.
  await volume.record('cam', bad, { evidence: false, seconds: 600 });
  const segments = [...((await recorder.archive('cam').newestReel('cam'))?.reel ?? [])];
  assert.ok(segments.length > 0);
  for (const [at, segment] of segments.entries())
    assert.ok(at === 0 || segment.startUs >= endUs(segments[at - 1] as Segment));
  assert.ok(segments.every(({ hour }) => hour === bad + 1));
});

test('a stream is found without a look at the others, also where the disk does not give its directory back', async () => {
  const { recorder, jail } = volume.host;
  await recorder.detachVolume('main', { drain: true });
  const bad = withBad(jail, 'dvr');
  const stat = (name: string) => {
    if (name === 'dvr/other')
      throw new ReelError('io-error', { expected: 'it', got: 'EIO', details: { errno: 'EIO' } });
    return jail.stat(name);
  };
  const files = new Proxy(bad, {
    get: (of, key, receiver) => (key === 'stat' ? stat : Reflect.get(of, key, receiver)),
  });
  const archive = new VolumeArchive({ files });
  assert.deepEqual(
    ['cam', 'other', 'none'].map((stream) => archive.knows(stream)),
    [true, true, false],
  );
  await recorder.attachVolume({ name: 'main', uuid, jail });
  assert.ok(recorder.archive('cam').knows('cam'));
  assert.throws(() => recorder.recorded.archive('none'), { code: 'not-found' });
});

test('a directory of days that are past: its stream is recorded behind it, and in it only refused', async () => {
  const { recorder, jail } = volume.host;
  const day = tenOClock + 48;
  await volume.record('cam', day, { evidence: false });
  await recorder.detachVolume('main', { drain: true });
  await recorder.attachVolume({ name: 'main', uuid, jail: withBad(jail, `dvr/cam/${hourPath(day).slice(0, 10)}`) });
  for (const hour of [day, day + 1])
    await assert.rejects(volume.record('cam', hour, { evidence: false }), { code: 'io-error' });
  await volume.record('other', day, { evidence: false });
  await volume.record('cam', day + 24, { evidence: false });
  const newest = await recorder.archive('cam').newest('cam');
  assert.equal(newest?.hour, day + 24);
});
