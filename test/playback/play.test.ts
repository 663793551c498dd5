/** Players on what a real publisher recorded through the real writer. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import HLS from 'hls-parser';
import { hourPath } from '../../src/archive/reel.ts';
import { endUs, type Segment } from '../../src/archive/segment.ts';
import { clip, countFrames, countPackets, play, push } from '../ingest/clip.ts';
import { Host, until } from '../ingest/host.ts';

let host: Host;
before(async () => {
  host = await Host.start({ segmentMs: 2000, liveSegments: 30, liveLingerMs: 1000 });
});
after(() => host.stop());

const text = async (at: string): Promise<string> => {
  const answer = await fetch(host.url(at));
  assert.equal(answer.status, 200, `${at}: ${answer.status}`);
  return answer.text();
};

const parse = async (at: string): Promise<HLS.types.MediaPlaylist> =>
  HLS.parse(await text(at)) as HLS.types.MediaPlaylist;

const all = async (stream: string): Promise<Segment[]> =>
  (await Array.fromAsync(host.recorder.archive(stream).parts(stream, 0, Number.MAX_SAFE_INTEGER))).flatMap((part) =>
    part.reel.slice(part.first, part.end),
  );

const bytesOf = async (stream: string, playlist: HLS.types.MediaPlaylist): Promise<Buffer> => {
  const parts: Buffer[] = [];
  for (const { uri } of playlist.segments)
    parts.push(Buffer.from(await (await fetch(host.url(`/${stream}/${uri}`))).arrayBuffer()));
  return Buffer.concat(parts);
};

const record = async (stream: string, bytes: Buffer): Promise<void> => {
  const session = await host.recorder.openSession(stream, 'test');
  session.append(bytes);
  await session.finish();
};

const seconds = (us: number): number => Math.floor(us / 1e6);

test('a pushed stream plays live and from the archive to its end, frame for frame', async () => {
  const { file, frames } = await clip(10);
  const publisher = push(host.url('/ingest/cam'), file, ['-re']);
  await until('a first segment', async () => (await fetch(host.url('/cam/index.m3u8'))).status === 200);
  const live = countFrames(host.url('/cam/index.m3u8'));
  assert.equal((await parse('/cam/index.m3u8')).endlist, false);
  assert.equal((await publisher.ended).code, 0);
  assert.equal(await live, frames, 'the live player saw every frame, and the end');

  const segments = await all('cam');
  const from = seconds((segments[0] as Segment).startUs);
  const archive = `/cam/archive-${from}-60.m3u8`;
  assert.equal(await countFrames(host.url(archive)), frames);
  await play('ffmpeg', ['-nostdin', '-i', host.url(archive), '-f', 'null', '-']);
  const parsed = await parse(archive);
  assert.deepEqual(
    [parsed.endlist, parsed.segments.length, parsed.segments.some((segment) => segment.discontinuity)],
    [true, segments.length, false],
  );
  assert.ok((await bytesOf('cam', parsed)).equals(host.recorded('cam')), 'the segments are the reel');
  for (const segment of parsed.segments) assert.ok(Math.round(segment.duration) <= parsed.targetDuration);
  const hour = parsed.segments[0]?.uri.split('/').slice(0, 4).join('/');
  const whole = Buffer.from(await (await fetch(host.url(`/cam/${hour}.ts`))).arrayBuffer());
  assert.ok(host.recorded('cam').subarray(0, whole.length).equals(whole));
});

test('every segment of the archive can be the first one played', async () => {
  const { bytes } = await clip(10);
  await record('seek', bytes);
  const segments = await all('seek');
  const end = seconds(endUs(segments.at(-1) as Segment)) + 2;
  for (const [place, segment] of segments.entries()) {
    const from = Math.ceil(segment.startUs / 1e6);
    const listed = (await parse(`/seek/archive-${from}-${end - from}.m3u8`)).segments.length;
    const frames = await countFrames(host.url(`/seek/archive-${from}-${end - from}.m3u8`));
    const expected = segments
      .slice(segments.length - listed)
      .reduce((sum, one) => sum + Math.round((one.duration * 25) / 90_000), 0);
    assert.equal(frames, expected, `from segment ${place}`);
  }
});

test('segments without PAT and PMT play through their EXT-X-MAP', async () => {
  // Only the first PAT and PMT are left: every later segment begins without.
  const { bytes } = await clip(10);
  const tables = new Set([0, 0x1000]);
  const seen = new Set<number>();
  const packets: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 188) {
    const packet = bytes.subarray(at, at + 188);
    const pid = packet.readUInt16BE(1) & 0x1fff;
    if (tables.has(pid) && seen.has(pid)) continue;
    seen.add(pid);
    packets.push(packet);
  }
  await record('bare', Buffer.concat(packets));
  const segments = await all('bare');
  const from = Math.ceil((segments[2] as Segment).startUs / 1e6);
  const at = `/bare/archive-${from}-60.m3u8`;
  assert.match(await text(at), /#EXT-X-MAP:URI="[^"]+\.tables\.ts"/);
  const listed = (await parse(at)).segments.length;
  assert.equal(
    await countFrames(host.url(at)),
    segments.slice(-listed).reduce((sum, one) => sum + Math.round((one.duration * 25) / 90_000), 0),
  );
});

test('a stream that begins in the middle of a packet plays live and from the archive', async () => {
  const { bytes } = await clip(4);
  await record('torn', bytes.subarray(188 * 40 + 100));
  const segments = await all('torn');
  const at = `/torn/archive-${seconds((segments[0] as Segment).startUs)}-60.m3u8`;
  const [, map] = (await text(at)).match(/#EXT-X-MAP:URI="([^"]+)"/) ?? [];
  assert.ok(map !== undefined, 'the first segment does not begin with its tables');
  const tables = Buffer.from(await (await fetch(host.url(`/torn/${map}`))).arrayBuffer());
  assert.deepEqual([tables.length, tables[0], tables[188]], [376, 0x47, 0x47]);
  for (const playlist of [at, '/torn/index.m3u8'])
    assert.ok((await countPackets(host.url(playlist))) >= 75, 'all but the pictures of the torn first second');
});

test('where a stream never carries its tables no EXT-X-MAP promises them', async () => {
  const { bytes } = await clip(4);
  const packets: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 188) {
    const packet = bytes.subarray(at, at + 188);
    if (![0, 0x1000].includes(packet.readUInt16BE(1) & 0x1fff)) packets.push(packet);
  }
  await record('blind', Buffer.concat(packets));
  const [first] = await all('blind');
  assert.ok(first !== undefined);
  const playlists = [`/blind/archive-${seconds(first.startUs)}-60.m3u8`, '/blind/index.m3u8'];
  for (const at of playlists) {
    const playlist = await text(at);
    assert.match(playlist, /#EXTINF/);
    assert.doesNotMatch(playlist, /EXT-X-MAP/);
  }
  const tables = `/blind/${hourPath(first.hour)}/${first.offset}-${first.length}.tables.ts`;
  assert.equal((await fetch(host.url(tables))).status, 404);
});

test('a publisher that comes back: one playlist, one discontinuity, all frames', async () => {
  const { bytes, frames } = await clip(4);
  await record('again', bytes);
  await record('again', bytes);
  const segments = await all('again');
  const parsed = await parse(`/again/archive-${seconds((segments[0] as Segment).startUs)}-60.m3u8`);
  assert.equal(parsed.segments.filter((segment) => segment.discontinuity).length, 1);
  const live = await parse('/again/index.m3u8');
  assert.equal(live.segments.length, segments.length);
  await until('the end of the broadcast', async () => (await parse('/again/index.m3u8')).endlist);
  assert.equal(await countFrames(host.url('/again/index.m3u8')), 2 * frames);
});

test('over the turn of the hour: two reels, one stream of segments, numbers that go on', async () => {
  const hour = 3_600_000;
  const offset = hour - (Date.now() % hour) - 5000; // five seconds before the turn
  const turning = await Host.start({ segmentMs: 1000, liveSegments: 4, now: () => Date.now() + offset });
  try {
    const { bytes, frames } = await clip(10);
    const live = async (): Promise<HLS.types.MediaPlaylist> =>
      HLS.parse(await (await fetch(turning.url('/cam/index.m3u8'))).text()) as HLS.types.MediaPlaylist;
    const session = await turning.recorder.openSession('cam', 'test');
    const numbers = new Map<string, number>();
    for (let at = 0; at < bytes.length; at += 188 * 400) {
      session.append(bytes.subarray(at, at + 188 * 400));
      await new Promise((resolve) => setTimeout(resolve, 60));
      if ((await fetch(turning.url('/cam/index.m3u8'))).status !== 200) continue;
      const playlist = await live();
      for (const [place, { uri }] of playlist.segments.entries()) {
        const number = (playlist.mediaSequenceBase ?? 0) + place;
        assert.equal(numbers.get(uri) ?? number, number, uri);
        numbers.set(uri, number);
      }
    }
    await session.finish();
    const archive = turning.recorder.archive('cam');
    assert.equal(archive.hours('cam', 0, Number.MAX_SAFE_INTEGER).length, 2);
    const [range, ...others] = await archive.ranges('cam', 0, Number.MAX_SAFE_INTEGER);
    assert.ok(range !== undefined && others.length === 0, 'no hole at the turn');
    assert.equal(await countFrames(turning.url(`/cam/archive-${seconds(range.startUs)}-60.m3u8`)), frames);
    assert.ok(turning.recorded('cam').equals(bytes));
    assert.ok(new Set([...numbers.values()]).size === numbers.size && numbers.size > 4);
  } finally {
    await turning.stop();
  }
});

test('over TLS', async () => {
  const secure = await Host.start({ tls: true, liveLingerMs: 500 });
  try {
    const { file, frames } = await clip(4);
    assert.equal((await push(secure.url('/ingest/cam'), file).ended).code, 0);
    await until('the end', async () => !(await secure.recorder.get('cam')).recording);
    const archive = secure.recorder.archive('cam');
    const [range] = await archive.ranges('cam', 0, Number.MAX_SAFE_INTEGER);
    assert.equal(await countFrames(secure.url(`/cam/archive-${seconds(range?.startUs ?? 0)}-60.m3u8`)), frames);
  } finally {
    await secure.stop();
  }
});
