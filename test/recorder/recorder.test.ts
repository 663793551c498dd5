import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { damagedIndexPath, indexPath, reelPath } from '../../src/archive/reel.ts';
import { endUs, hasFlag, type Segment } from '../../src/archive/segment.ts';
import { ReelError } from '../../src/errors.ts';
import { segmentFlags } from '../../src/native.ts';
import { clip, push } from '../ingest/clip.ts';
import { Host, until, uuid } from '../ingest/host.ts';

let host: Host;
before(async () => {
  host = await Host.start();
});
after(() => host.stop());

const is = (code: string) => (error: unknown) => error instanceof ReelError && error.code === code;

const all = async (stream: string): Promise<Segment[]> =>
  (await Array.fromAsync(host.recorder.archive(stream).parts(stream, 0, Number.MAX_SAFE_INTEGER))).flatMap((part) =>
    part.reel.slice(part.first, part.end),
  );

const record = async (stream: string, bytes: Buffer): Promise<void> => {
  const session = await host.recorder.openSession(stream, 'test');
  session.append(bytes);
  await session.finish();
};

test('a session from its first byte to its end', async () => {
  const { bytes } = await clip(4);
  const durable: Segment[] = [];
  const collect = (stream: string, segments: readonly Segment[]): void => {
    if (stream === 'one') durable.push(...segments);
  };
  host.recorder.on('durable', collect);
  const session = await host.recorder.openSession('one', '192.0.2.1:99');
  assert.ok((await host.recorder.get('one')).recording);
  session.append(bytes);
  assert.equal(host.recorder.status('one').session?.received, bytes.length);
  assert.equal(host.recorder.status('one').session?.publisher, '192.0.2.1:99');
  const summary = await session.finish();
  assert.equal(await session.finish(), summary, 'finish may be called again');
  assert.deepEqual([summary.stream, summary.bytes, summary.segments], ['one', bytes.length, durable.length]);
  assert.deepEqual(durable, await all('one'), 'events and index say the same');
  assert.ok(hasFlag(durable.at(-1) as Segment, segmentFlags.sessionEnd));
  assert.equal((await host.recorder.get('one')).recording, false);
  assert.equal(host.recorder.status('one').failure, null);
  host.recorder.off('durable', collect);
});

test('two sessions of one hour: appended, marked as broken off, never overlapping', async () => {
  const { bytes } = await clip(4);
  for (let turn = 0; turn < 3; turn += 1) await record('twice', bytes); // faster than real time: the media clock runs ahead
  assert.ok(host.recorded('twice').equals(Buffer.concat([bytes, bytes, bytes])));
  const segments = await all('twice');
  for (const [place, segment] of segments.entries()) {
    const former = segments[place - 1];
    if (former !== undefined) assert.ok(segment.startUs >= endUs(former) - 1);
  }
  assert.equal(
    segments.filter((segment) => hasFlag(segment, segmentFlags.discontinuity)).length,
    3 - (hasFlag(segments[0] as Segment, segmentFlags.discontinuity) ? 0 : 1),
  );
});

test('more at once than the staging memory holds is taken piece by piece, also when the session ends at once', async () => {
  const own = await Host.start({ stagingBytes: 4 * 1024 * 1024 });
  try {
    const { bytes } = await clip(10);
    const many = Buffer.concat(Array.from({ length: 60 }, () => bytes));
    const session = await own.recorder.openSession('heap', 'test');
    assert.equal(session.append(many), false);
    assert.equal(session.append(bytes), false);
    const summary = await session.finish();
    assert.equal(summary.bytes, many.length + bytes.length);
    assert.ok(own.recorded('heap').equals(Buffer.concat([many, bytes])));
  } finally {
    await own.stop();
  }
});

test('a stream has one publisher', async () => {
  const [first, second] = await Promise.allSettled([
    host.recorder.openSession('race', 'a'),
    host.recorder.openSession('race', 'b'),
  ]);
  assert.equal(first.status, 'fulfilled');
  assert.ok(second.status === 'rejected' && is('stream-busy')(second.reason));
  await assert.rejects(host.recorder.delete('race'), is('stream-busy'));
  if (first.status === 'fulfilled') await first.value.finish().catch(() => {});
});

test('a stream on a volume that is not open', async () => {
  await host.recorder.put('elsewhere', { volume: 'other' });
  await assert.rejects(host.recorder.openSession('elsewhere', 'a'), is('volume-state'));
  assert.throws(() => host.recorder.archive('elsewhere'), is('volume-state'));
  assert.equal((await host.recorder.get('elsewhere')).recording, false);
  await assert.rejects(host.recorder.openSession('../x', 'a'), is('invalid-argument'));
  assert.deepEqual(await host.attach(), [], 'attached already: nothing to do');
});

test('a volume that is open read-only is played from and not recorded into, and nothing is written to it', async () => {
  const first = await Host.start();
  const { bytes } = await clip(4);
  const { directory, recorder } = first;
  const session = await recorder.openSession('kept', 'a');
  session.append(bytes);
  await session.finish();
  const marker = path.join(directory, 'volume/.reelvault/open/torn');
  writeFileSync(marker, 'dvr/torn/2026/11/21/14.ts');
  await recorder.detachVolume('main', { drain: false });
  await recorder.attachVolume({ name: 'main', uuid, jail: first.jail, readOnly: true });
  try {
    assert.deepEqual(recorder.attached, ['main']);
    assert.ok((await recorder.archive('kept').newest('kept')) !== undefined);
    await assert.rejects(recorder.openSession('kept', 'a'), (error: ReelError) => {
      assert.deepEqual([error.code, error.parts.got], ['volume-state', 'open read-only']);
      return true;
    });
    assert.ok(existsSync(marker), 'a recovery is a write');
    await recorder.detachVolume('main', { drain: true });
    assert.deepEqual(recorder.attached, []);
  } finally {
    await first.stop();
  }
});

test('what is not MPEG-TS ends the session, and nothing of it is left', async () => {
  const session = await host.recorder.openSession('zeros', 'a');
  const failed = new Promise<ReelError>((resolve) => {
    session.onFailure = resolve;
  });
  session.append(Buffer.alloc(4 * 1024 * 1024));
  assert.equal((await failed).code, 'not-mpegts');
  await assert.rejects(session.finish(), is('not-mpegts'));
  assert.throws(
    () => host.recorder.status('zeros'),
    is('not-found'),
    'nor the stream that only this publisher has named',
  );
  assert.throws(() => host.recorder.archive('zeros'), is('not-found'));
});

test('a drain in mid-recording: publishers are told, all they were acknowledged stays, nothing holds the volume', async () => {
  const own = await Host.start();
  try {
    const { file } = await clip(10);
    const publishers = ['a', 'b'].map((stream) => push(own.url(`/ingest/${stream}`), file, ['-re']));
    const durable = new Map<string, Segment[]>([
      ['a', []],
      ['b', []],
    ]);
    own.recorder.on('durable', (stream, segments) => durable.get(stream)?.push(...segments));
    await until('segments of both', () => [...durable.values()].every((list) => list.length >= 2));
    const ends: string[] = [];
    own.recorder.on('end', (stream, failure) => ends.push(`${stream} ${failure?.code}`));
    const failure = once(own.recorder, 'end');
    assert.deepEqual(own.recorder.recordings('other'), []);
    assert.ok(own.recorder.recordings('main').length > 0);
    await assert.rejects(own.recorder.detachVolume('main', { drain: false }), is('volume-busy'));
    await Promise.all([
      own.recorder.detachVolume('main', { drain: true }),
      own.recorder.detachVolume('main', { drain: true }),
    ]);
    await failure;
    assert.deepEqual(new Set(ends), new Set(['a recording-stopped', 'b recording-stopped']));
    await assert.rejects(own.recorder.openSession('a', 'x'), is('volume-state'));
    const inside = readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(path.join(own.directory, 'volume'));
      } catch {
        return false; // the one that lists them
      }
    });
    assert.deepEqual(inside, [String(own.jail.fd)], 'only the owner of the volume has it open');
    await Promise.all(publishers.map(({ ended }) => ended));
    await own.attach();
    for (const [stream, segments] of durable) {
      const archive = own.recorder.archive(stream);
      const kept = (await Array.fromAsync(archive.parts(stream, 0, Number.MAX_SAFE_INTEGER))).flatMap(({ reel }) => [
        ...reel,
      ]);
      assert.deepEqual(kept, segments);
    }
  } finally {
    await own.stop();
  }
});

test('recovery looks at marked streams only, and takes a torn marker for the newest reel', async () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-marked-'));
  try {
    const first = await Host.start({ directory });
    const { bytes } = await clip(4);
    for (const stream of ['marked', 'unmarked']) {
      const session = await first.recorder.openSession(stream, 'x');
      session.append(bytes);
      await session.finish();
    }
    await first.stop();
    for (const text of [
      'dvr/marked/20',
      '',
      'dvr/unmarked/2026/11/21/10.ts',
      '../../etc/passwd',
      'dvr/gone/2026/11/21/10.ts',
    ]) {
      writeFileSync(path.join(directory, 'volume/.reelvault/open/marked'), text);
      const host = await Host.start({ directory });
      assert.deepEqual(readdirSync(path.join(directory, 'volume/.reelvault/open')), [], text);
      assert.ok(host.recorded('marked').equals(bytes) && host.recorded('unmarked').equals(bytes));
      await host.stop();
    }
    writeFileSync(path.join(directory, 'volume/.reelvault/open/never-recorded'), 'x');
    const host = await Host.start({ directory });
    assert.deepEqual(readdirSync(path.join(directory, 'volume/.reelvault/open')), []);
    await host.stop();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

/** Overwrites four bytes of the header of a stream's newest index. */
const breakHeader = async (of: Host, stream: string): Promise<Segment> => {
  const newest = await of.recorder.archive(stream).newest(stream);
  assert.ok(newest !== undefined);
  const fd = openSync(path.join(of.directory, 'volume', indexPath(stream, newest.hour)), 'r+');
  writeSync(fd, Buffer.from('oops'), 0, 4, 20);
  closeSync(fd);
  return newest;
};

test('a damaged index header: the next session rebuilds it and goes on behind what was there', async () => {
  const { bytes } = await clip(4);
  await record('dented', bytes);
  const before = await breakHeader(host, 'dented');
  assert.deepEqual(await all('dented'), [], 'passed over, not an error');
  await record('dented', bytes);
  assert.ok(host.recorded('dented').equals(Buffer.concat([bytes, bytes])));
  const segments = await all('dented');
  assert.equal(
    segments.reduce((sum, segment) => sum + segment.length, 0),
    2 * bytes.length,
  );
  for (const [place, segment] of segments.entries())
    assert.ok(place === 0 || segment.startUs >= endUs(segments[place - 1] as Segment) - 1);
  assert.ok(segments.some((segment) => segment.startUs === before.startUs));
});

test('a damaged index whose reel is gone is set aside, and the stream records, in the same hour too', async () => {
  const { bytes } = await clip(4);
  await record('orphaned', bytes);
  const { hour } = await breakHeader(host, 'orphaned');
  const at = (name: string): string => path.join(host.directory, 'volume', name);
  const damaged = readFileSync(at(indexPath('orphaned', hour)));
  rmSync(at(reelPath('orphaned', hour)));
  const older = path.dirname(at(indexPath('orphaned', hour - 24)));
  mkdirSync(older, { recursive: true });
  writeFileSync(at(indexPath('orphaned', hour - 24)), 'no index at all, and no reel');
  await record('orphaned', bytes);
  assert.ok(readFileSync(at(damagedIndexPath('orphaned', hour))).equals(damaged));
  assert.ok(existsSync(at(damagedIndexPath('orphaned', hour - 24))));
  assert.ok(host.recorded('orphaned').equals(bytes));
  assert.equal(
    (await all('orphaned')).reduce((sum, segment) => sum + segment.length, 0),
    bytes.length,
  );
});

test('a reel that cannot be recovered stops its own stream only, until it can be', async () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-unrecovered-'));
  const marker = path.join(directory, 'volume/.reelvault/open/bad');
  const reel = path.join(directory, 'volume/dvr/bad/2026/11/21/10.ts');
  mkdirSync(path.dirname(marker), { recursive: true });
  mkdirSync(reel, { recursive: true }); // where a reel is expected
  writeFileSync(marker, 'dvr/bad/2026/11/21/10.ts');
  const own = await Host.start({ directory });
  try {
    assert.deepEqual(own.recorder.attached, ['main']);
    assert.ok(existsSync(marker), 'still to be recovered');
    const { bytes } = await clip(4);
    const good = await own.recorder.openSession('good', 'x');
    good.append(bytes);
    assert.equal((await good.finish()).bytes, bytes.length);
    await assert.rejects(own.recorder.openSession('bad', 'x'), ReelError);
    assert.ok(existsSync(marker));
    rmdirSync(reel);
    const bad = await own.recorder.openSession('bad', 'x');
    bad.append(bytes);
    assert.equal((await bad.finish()).bytes, bytes.length);
  } finally {
    await own.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});
