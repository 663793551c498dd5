/** A disk that does not give back one index: that hour is passed over, everything else is served and recorded. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { indexPath } from '../../src/archive/reel.ts';
import { endUs, type Segment } from '../../src/archive/segment.ts';
import { explained } from '../../src/datapath/failure.ts';
import type { Jail } from '../../src/datapath/jail.ts';
import { uuid } from '../ingest/host.ts';
import { RecordedVolume, tenOClock } from './recorded.ts';

let volume: RecordedVolume;
before(async () => {
  volume = await RecordedVolume.start();
  for (const stream of ['cam', 'other'])
    for (const hour of [0, 1]) await volume.record(stream, tenOClock + hour, { evidence: false });
});
after(() => volume.stop());

/** The volume with EIO for one file, as the kernel says it. */
const withBad = (jail: Jail, bad: string): Jail => {
  const open = (name: string, flags: number, mode?: number): number =>
    name === bad
      ? explained('volume main', 'open', name, () => {
          throw Object.assign(new Error('i/o error'), { code: 'EIO' });
        })
      : jail.open(name, flags, mode);
  return new Proxy(jail, {
    get: (_, key) => {
      if (key === 'open') return open;
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
