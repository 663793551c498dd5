import assert from 'node:assert/strict';
import { readdirSync, readlinkSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { ArchiveChecker, type CheckOptions, type CheckView } from '../../src/archive/check/checker.ts';
import { type CheckLevel, findingKinds } from '../../src/archive/check/findings.ts';
import { Pace, Stopped } from '../../src/archive/check/pace.ts';
import { markerPath } from '../../src/archive/reel.ts';
import type { ReelError } from '../../src/errors.ts';
import { crc32c } from '../../src/native.ts';
import { clip } from '../ingest/clip.ts';
import { until } from '../ingest/host.ts';
import { filesOf, RecordedVolume, removeCopy, tenOClock } from './recorded.ts';

let original: RecordedVolume;
let directory: string;
let volume: RecordedVolume;
let checker: ArchiveChecker;
before(async () => {
  original = await RecordedVolume.start();
  for (const hour of [0, 1, 2]) await original.record('cam', tenOClock + hour);
  await original.record('plain', tenOClock, { evidence: false });
});
after(() => original.stop());
beforeEach(async (t) => {
  directory = original.copy();
  volume = await RecordedVolume.start(directory);
  checker = new ArchiveChecker({
    now: Date.now,
    publicKeys: () => volume.host.keys.list().map(({ publicKey }) => publicKey),
    keep: 50,
  });
  if ('after' in t)
    t.after(async () => {
      await checker.close();
      await volume.stop();
      removeCopy(directory);
    });
});

const fast = Number.MAX_SAFE_INTEGER;
const ended = async (): Promise<CheckView> => {
  await until('the end of the check', () => checker.view('main').state !== 'running');
  return checker.view('main');
};
const run = async (level: CheckLevel, options: Partial<CheckOptions> = {}): Promise<CheckView> => {
  await checker.start('main', volume.host.recorder.openArchive('main'), { level, bytesPerSecond: fast, ...options });
  return ended();
};
const codes = ({ findings }: CheckView): string[] =>
  findings.map(({ code, path: at }) => `${code} ${path.basename(at)}`).sort();
const at = (name: string): string => path.join(volume.root, name);
const { ts, idx, sig } = filesOf('cam', tenOClock + 1);

test('a whole archive: nothing is found at any level, and everything was looked at', async () => {
  for (const level of ['names', 'index', 'bytes'] as const) {
    const view = await run(level);
    assert.deepEqual([view.state, codes(view), view.problem], ['done', [], null], level);
    assert.deepEqual([view.streams, view.streamsDone, view.reels], [2, 2, 4]);
  }
  const all = ['cam', 'plain'].reduce((sum, stream) => sum + volume.host.recorded(stream).length, 0);
  assert.ok((await run('bytes')).bytes > all);
  const one = await run('index', { stream: 'plain' });
  assert.deepEqual([one.streams, one.reels], [1, 1]);
  await assert.rejects(run('index', { stream: 'none' }), (error: ReelError) => error.code === 'not-found');
});

/** What is done to the reel of 11:00, and what each level says of it. */
const damages: readonly {
  readonly what: string;
  readonly act: () => void;
  readonly names: readonly string[];
  readonly index: readonly string[];
  readonly bytes?: readonly string[];
}[] = [
  {
    what: 'the index is gone',
    act: () => rmSync(at(idx)),
    names: ['index-missing 11.idx'],
    index: ['index-missing 11.idx'],
  },
  {
    what: 'the reel is gone',
    act: () => rmSync(at(ts)),
    names: ['reel-missing 11.ts'],
    index: ['reel-missing 11.ts'],
  },
  {
    what: 'index and reel are gone',
    act: () => {
      rmSync(at(ts));
      rmSync(at(idx));
    },
    names: ['signature-alone 11.sig'],
    index: ['signature-alone 11.sig'],
  },
  {
    what: 'all three are gone',
    act: () => [ts, idx, sig].map((name) => rmSync(at(name))),
    names: [],
    index: ['chain-hole 12.sig'],
  },
  {
    what: 'the newest three are gone',
    act: () => Object.values(filesOf('cam', tenOClock + 2)).map((name) => rmSync(at(name))),
    names: [],
    index: ['chain-hole cam'],
  },
  {
    what: 'the signature is gone',
    act: () => rmSync(at(sig)),
    names: [],
    index: ['chain-hole 12.sig', 'signature-gone 11.sig'],
  },
  {
    what: 'the first signature is gone',
    act: () => rmSync(at(filesOf('cam', tenOClock).sig)),
    names: [],
    index: ['signature-gone 10.sig'],
  },
  {
    what: 'the newest signature is gone',
    act: () => rmSync(at(filesOf('cam', tenOClock + 2).sig)),
    names: [],
    index: ['chain-hole cam', 'signature-gone 12.sig'],
  },
  {
    what: 'all signatures are gone',
    act: () => [0, 1, 2].map((hour) => rmSync(at(filesOf('cam', tenOClock + hour).sig))),
    names: [],
    index: ['chain-hole cam', 'signature-gone 10.sig', 'signature-gone 11.sig', 'signature-gone 12.sig'],
  },
  {
    what: 'the first signature is gone, and a reel with evidence lies before it from before the chain began',
    act: () => {
      const before = filesOf('cam', tenOClock - 1);
      writeFileSync(at(before.ts), volume.read(filesOf('cam', tenOClock).ts));
      const index = volume.read(filesOf('cam', tenOClock).idx);
      for (let place = 0; place < index.length; place += 96) {
        const block = index.subarray(place, place + 96);
        block.writeBigInt64LE(block.readBigInt64LE(16) - 3_600_000_000n, 16);
        block.writeUInt32LE(crc32c(block.subarray(0, 92)), 92);
      }
      writeFileSync(at(before.idx), index);
      rmSync(at(filesOf('cam', tenOClock).sig));
    },
    names: [],
    index: ['signature-gone 10.sig', 'signature-missing 09.sig'],
  },
  {
    what: 'the reel is empty',
    act: () => truncateSync(at(ts), 0),
    names: ['reel-short 11.ts'],
    index: ['reel-short 11.ts'],
  },
  {
    what: 'the reel is cut',
    act: () => truncateSync(at(ts), volume.read(ts).length - 1),
    names: [],
    index: ['reel-short 11.ts'],
  },
  {
    what: 'bytes behind the last record',
    act: () => volume.write(ts, Buffer.concat([volume.read(ts), Buffer.alloc(188)])),
    names: [],
    index: ['reel-long 11.ts'],
  },
  {
    what: 'the index is torn',
    act: () => truncateSync(at(idx), volume.read(idx).length - 10),
    names: ['index-size 11.idx'],
    index: ['index-size 11.idx', 'reel-long 11.ts', 'signature-mismatch 11.sig'],
  },
  {
    what: 'the header of the index does not hold',
    act: () => flip(idx, 20),
    names: [],
    index: ['index-header 11.idx'],
  },
  {
    what: 'a record does not hold',
    act: () => flip(idx, 96 + 30),
    names: [],
    index: ['index-record 11.idx', 'signature-mismatch 11.sig'],
  },
  {
    what: 'a byte of the reel is another one',
    act: () => flip(ts, 10_000),
    names: [],
    index: [],
    bytes: ['bytes-differ 11.ts'],
  },
  {
    what: 'a byte of the signature is another one',
    act: () => flip(sig, 200),
    names: [],
    index: ['chain-hole 12.sig', 'signature-damaged 11.sig'],
  },
  {
    what: 'the three files of another hour lie in its place',
    act: () => {
      for (const [name, other] of Object.entries(filesOf('cam', tenOClock + 2)))
        renameSync(at(other), at(filesOf('cam', tenOClock + 1)[name as 'ts']));
    },
    names: [],
    index: ['chain-hole 11.sig', 'index-header 11.idx', 'signature-mismatch 11.sig'],
  },
  {
    what: 'things that do not belong there',
    act: () => {
      writeFileSync(path.join(path.dirname(at(ts)), 'notes.txt'), '');
      writeFileSync(`${at(filesOf('cam', tenOClock + 8).idx)}.damaged`, '');
    },
    names: ['index-set-aside 18.idx.damaged', 'strange-file notes.txt'],
    index: ['index-set-aside 18.idx.damaged', 'strange-file notes.txt'],
  },
];

const flip = (name: string, place: number): void => {
  const bytes = volume.read(name);
  bytes[place] = (bytes[place] as number) ^ 1;
  volume.write(name, bytes);
};

for (const { what, act, names, index, bytes = index } of damages)
  test(`found at its level: ${what}`, async () => {
    act();
    assert.deepEqual(codes(await run('names')), [...names]);
    assert.deepEqual(codes(await run('index')), [...index]);
    const last = await run('bytes');
    assert.deepEqual(codes(last), [...bytes]);
    const damage = last.findings.filter(({ severity }) => severity === 'damage').length;
    assert.deepEqual([last.damage, last.notices], [damage, last.findings.length - damage]);
    for (const { code, hint } of last.findings) assert.equal(hint, findingKinds[code].hint);
  });

test('a reel that is being written is looked at as far as it was acknowledged', async () => {
  await volume.host.recorder.put('live', { evidence: true });
  volume.at(tenOClock + 3);
  const session = await volume.host.recorder.openSession('live', 'test');
  session.append((await clip(4)).bytes);
  await until('durable segments', () => session.status().segments > 1);
  assert.deepEqual(codes(await run('bytes')), [], 'beside the recording');
  const live = filesOf('live', tenOClock + 3);
  const last = (await volume.host.recorder.openArchive('main').reel('live', tenOClock + 3)).at(-1);
  assert.ok(last);
  flip(live.ts, last.offset + 5);
  assert.deepEqual(codes(await run('bytes')), ['bytes-differ 13.ts'], 'what was acknowledged is summed');
  flip(live.ts, last.offset + 5);
  // Behind the last acknowledged record anything may stand: it is the writer's.
  const whole = volume.read(live.idx);
  volume.write(live.idx, Buffer.concat([whole, Buffer.alloc(40, 7)]));
  assert.deepEqual(codes(await run('bytes')), []);
  volume.write(live.idx, whole);
  await session.finish();
  assert.deepEqual(codes(await run('bytes')), [], 'and all of it, once it is closed');
});

test('a reel that nobody writes and that is marked: the next start recovers it, and that is said', async () => {
  writeFileSync(at(markerPath('plain')), filesOf('plain', tenOClock).ts);
  truncateSync(at(filesOf('plain', tenOClock).idx), 96 * 2 + 7);
  assert.deepEqual(codes(await run('bytes')), ['unrecovered 10.ts']);
});

test('one check a volume at a time; it stops when told to, and leaves nothing open', async () => {
  /** Of its root: other parts open and close files in it as they like. */
  const inVolume = (): number =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === volume.root;
      } catch {
        return false;
      }
    }).length;
  const open = inVolume();
  const archive = volume.host.recorder.openArchive('main');
  assert.throws(
    () => checker.view('main'),
    (error: ReelError) => error.code === 'not-found',
  );
  await checker.start('main', archive, { level: 'bytes', bytesPerSecond: 1 }); // for ever
  assert.equal(inVolume(), open + 1, 'a descriptor of its own');
  await assert.rejects(run('names'), (error: ReelError) => error.code === 'volume-busy');
  await checker.stop('main');
  assert.equal(checker.view('main').state, 'stopped');
  assert.equal(inVolume(), open);
  await checker.stop('main');
  assert.equal((await run('names')).state, 'done');
});

test('no more findings are kept than asked for, and all are counted', async () => {
  for (let number = 0; number < 60; number += 1) writeFileSync(path.join(path.dirname(at(ts)), `x${number}`), '');
  const view = await run('names');
  assert.deepEqual([view.findings.length, view.notices], [50, 60]);
});

test('the pace: what is read beyond it waits, and a stop ends the wait', () => {
  const stop = new SharedArrayBuffer(4);
  const pace = new Pace({ bytesPerSecond: 1_000_000, stop });
  const began = performance.now();
  pace.spend(100_000);
  pace.spend(1);
  assert.ok(performance.now() - began >= 99);
  assert.equal(pace.spent, 100_001);
  pace.spend(1e12);
  Atomics.store(new Int32Array(stop), 0, 1);
  assert.throws(() => pace.spend(1), Stopped);
});
