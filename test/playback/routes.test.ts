/** The routes over an archive made by hand: what is answered to good and to hostile requests. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import Fastify, { type FastifyInstance } from 'fastify';
import HLS from 'hls-parser';
import { VolumeArchive } from '../../src/archive/archive.ts';
import { hourPath } from '../../src/archive/reel.ts';
import { endUs, type Segment } from '../../src/archive/segment.ts';
import { ReelError, toReelError } from '../../src/errors.ts';
import { forPublishers } from '../../src/ingest/publisher-server.ts';
import { playbackPlugin } from '../../src/playback/plugin.ts';
import { segmentsOf, someHour, TemporaryVolume } from '../archive/fixtures.ts';

const volume = new TemporaryVolume();
const archive = new VolumeArchive({ files: volume.files });
const reel = segmentsOf(someHour, [
  { at: 0, length: 1880 },
  { at: 2, length: 3760 },
  { at: 10, length: 188 },
  { at: 12, length: 376 },
]);
const bytes = Buffer.from(Array.from({ length: 1880 + 3760 + 188 + 376 }, (_, at) => at % 251));
const start = someHour * 3600;
const segmentUrl = (segment: Segment): string => `/cam/${hourPath(someHour)}/${segment.offset}-${segment.length}.ts`;
const second = reel[1] as Segment;

let app: FastifyInstance;
let now = (start + 15) * 1000;
let recording = false;
let idleMs = 0;
/** What was sent last, as the routes gave it. */
let sent: unknown;

before(async () => {
  volume.reel('cam', reel);
  volume.write(
    `dvr/cam/${hourPath(someHour)}.ts`,
    Buffer.concat([bytes, Buffer.from('bytes of a segment that is not durable')]),
  );
  app = Fastify({ routerOptions: { maxParamLength: 200 } });
  app.setErrorHandler((thrown, _request, reply) => {
    const status = (thrown as { statusCode?: number }).statusCode;
    const error = toReelError(thrown);
    return reply.code(thrown instanceof ReelError ? error.row.http : (status ?? 500)).send({ error: error.toJSON() });
  });
  app.addHook('onSend', async (_request, _reply, payload) => {
    sent = payload;
    return payload;
  });
  await app.register(
    playbackPlugin({
      liveSegments: 3,
      liveLingerMs: 20_000,
      now: () => now,
      source: {
        archive: (stream) => {
          if (stream === 'cam' || stream === 'empty') return archive;
          throw new ReelError('not-found', { expected: 'a known stream', got: stream });
        },
        segmentMs: () => 2000,
        isRecording: () => recording,
        idleMs: () => idleMs,
        anchor: () => undefined,
        setAnchor: async () => {},
      },
    }),
  );
  forPublishers(app.server); // as it runs: sockets are half open
  await app.listen({ host: '127.0.0.1', port: 0 });
});
after(async () => {
  await app.close();
  await volume.remove();
});

const get = (url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
  app.inject({ method, url, headers });

test('a segment: whole, in part, by validator, by HEAD', async () => {
  const url = segmentUrl(second);
  const whole = await get(url);
  const content = bytes.subarray(1880, 1880 + 3760);
  assert.deepEqual(
    [whole.statusCode, whole.headers['content-length'], whole.headers['content-type']],
    [200, '3760', 'video/mp2t'],
  );
  assert.ok(whole.rawPayload.equals(content));
  const etag = String(whole.headers.etag);
  assert.match(etag, /^"[0-9a-f]{8}-1880-3760"$/);
  assert.match(String(whole.headers['cache-control']), /immutable/);
  assert.equal(whole.headers['accept-ranges'], 'bytes');
  assert.equal(whole.headers['access-control-allow-origin'], '*');

  const head = await get(url, {}, 'HEAD');
  assert.deepEqual(
    [head.statusCode, head.headers['content-length'], head.headers.etag, head.payload],
    [200, '3760', etag, ''],
  );
  const headRange = await get(url, { range: 'bytes=0-1' }, 'HEAD');
  assert.deepEqual([headRange.statusCode, headRange.headers['content-length']], [200, '3760']);

  const table: [Record<string, string>, number, Buffer | undefined, string | undefined][] = [
    [{ range: 'bytes=0-187' }, 206, content.subarray(0, 188), 'bytes 0-187/3760'],
    [{ range: 'bytes=3000-' }, 206, content.subarray(3000), 'bytes 3000-3759/3760'],
    [{ range: 'bytes=-10' }, 206, content.subarray(3750), 'bytes 3750-3759/3760'],
    [{ range: 'bytes=0-1,4-5' }, 200, content, undefined],
    [{ range: 'bytes=9-1' }, 200, content, undefined],
    [{ range: 'bytes=3760-' }, 416, undefined, 'bytes */3760'],
    [{ range: 'bytes=-0' }, 416, undefined, 'bytes */3760'],
    [{ range: 'bytes=0-1', 'if-range': etag }, 206, content.subarray(0, 2), 'bytes 0-1/3760'],
    [{ range: 'bytes=0-1', 'if-range': '"other"' }, 200, content, undefined],
    [{ 'if-none-match': etag }, 304, Buffer.alloc(0), undefined],
    [{ 'if-none-match': `W/${etag}`, range: 'bytes=0-1' }, 304, Buffer.alloc(0), undefined],
    [{ 'if-none-match': '*' }, 304, Buffer.alloc(0), undefined],
    [{ 'if-none-match': '"other"' }, 200, content, undefined],
  ];
  for (const [headers, status, body, contentRange] of table) {
    const answer = await get(url, headers);
    assert.equal(answer.statusCode, status, JSON.stringify(headers));
    assert.equal(answer.headers['content-range'], contentRange, JSON.stringify(headers));
    if (body !== undefined) assert.ok(answer.rawPayload.equals(body), JSON.stringify(headers));
    if (status < 400) assert.equal(answer.headers.etag, etag);
  }
  assert.equal((await get(url, { range: 'bytes=3760-' })).json().error.code, 'range-invalid');
});

test('a whole reel ends with its last durable segment', async () => {
  const url = `/cam/${hourPath(someHour)}.ts`;
  const whole = await get(url);
  assert.ok(whole.rawPayload.equals(bytes));
  assert.equal((await get(url, { range: `bytes=${bytes.length}-` })).statusCode, 416);
  assert.equal((await get(url, { 'if-none-match': String(whole.headers.etag) })).statusCode, 304);
  assert.equal((await get(`/cam/${hourPath(someHour + 1)}.ts`)).json().error.code, 'no-recording');
});

test('only ranges that the index names are served', async () => {
  const end = bytes.length;
  for (const name of [`${end}-38`, `0-${end + 38}`, '0-1881', '1-1880', '0-9007199254740991'])
    assert.equal((await get(`/cam/${hourPath(someHour)}/${name}.ts`)).statusCode, 404, name);
});

test('the live playlist', async () => {
  const parsed = HLS.parse((await get('/cam/index.m3u8')).payload) as HLS.types.MediaPlaylist;
  assert.deepEqual(
    parsed.segments.map((segment) => segment.uri),
    reel.slice(1).map((segment) => segmentUrl(segment).slice(5)),
  );
  assert.equal(parsed.endlist, false);
  const end = endUs(reel.at(-1) as Segment) / 1000;
  now = end + 20_001;
  const ended = async (): Promise<boolean> =>
    (HLS.parse((await get('/cam/index.m3u8')).payload) as HLS.types.MediaPlaylist).endlist;
  assert.equal(await ended(), true);
  recording = true;
  assert.equal(await ended(), false);
  recording = false;
  now = (start + 15) * 1000;
  for (const [idle, over] of [
    [20_000, false],
    [20_001, true],
  ] as const) {
    idleMs = idle;
    assert.equal(await ended(), over, `nobody has published for ${idle} ms`);
  }
  recording = true;
  assert.equal(await ended(), false);
  recording = false;
  idleMs = 0;
  assert.equal((await get('/empty/index.m3u8')).json().error.code, 'no-recording');
});

test('archive playlists', async () => {
  const answer = await get(`/cam/archive-${start + 3}-8.m3u8`);
  const parsed = HLS.parse(answer.payload) as HLS.types.MediaPlaylist;
  assert.equal(answer.headers['content-type'], 'application/vnd.apple.mpegurl');
  assert.deepEqual([parsed.playlistType, parsed.endlist, parsed.targetDuration], ['VOD', true, 2]);
  assert.deepEqual(
    parsed.segments.map((segment) => [segment.uri, segment.discontinuity === true]),
    [
      [segmentUrl(second).slice(5), false],
      [segmentUrl(reel[2] as Segment).slice(5), true],
    ],
  );
  const event = HLS.parse((await get(`/cam/archive-${start}-now.m3u8`)).payload) as HLS.types.MediaPlaylist;
  assert.deepEqual([event.playlistType, event.endlist, event.segments.length], ['EVENT', false, 4]);
  now = (start + 100) * 1000;
  const over = HLS.parse((await get(`/cam/archive-${start}-now.m3u8`)).payload) as HLS.types.MediaPlaylist;
  assert.equal(over.endlist, true);
  now = (start + 15) * 1000;
  assert.deepEqual([(await get(`/cam/archive-${start}-8.m3u8`, {}, 'HEAD')).statusCode], [200]);
});

test('the memory of a playlist is given back when it has gone out', async () => {
  const { port } = app.server.address() as { port: number };
  const url = `http://127.0.0.1:${port}/cam/archive-${start}-60.m3u8`;
  const [first, second] = [await (await fetch(url)).text(), await (await fetch(url)).text()];
  assert.match(first, /^#EXTM3U\n.*#EXT-X-ENDLIST\n$/s);
  assert.equal(second, first);
  assert.ok(Buffer.isBuffer(sent));
  const deadline = Date.now() + 10_000;
  while (sent.length > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(sent.length, 0);
});

test('nothing recorded: the answer says what is near', async () => {
  const answer = await get(`/cam/archive-${start + 100}-10.m3u8`);
  assert.equal(answer.statusCode, 404);
  assert.equal(answer.json().error.code, 'no-recording');
  assert.deepEqual(answer.json().error.details.near, [
    { from: start, to: start + 4 },
    { from: start + 10, to: start + 14 },
  ]);
  assert.equal(answer.headers['access-control-allow-origin'], '*');
});

test('recorded ranges in the form of Flussonic', async () => {
  const answer = await get(`/cam/recording_status.json?from=${start}&to=${start + 60}&request=ranges`);
  assert.deepEqual(answer.json(), [
    {
      stream: 'cam',
      ranges: [
        { from: start, duration: 4 },
        { from: start + 10, duration: 4 },
      ],
    },
  ]);
  for (const query of [
    '',
    '?from=1&to=2',
    '?from=2&to=1&request=ranges',
    '?from=1&from=2&to=3&request=ranges',
    '?from=x&to=1&request=ranges',
  ])
    assert.equal((await get(`/cam/recording_status.json${query}`)).statusCode, 400, query);
});

test('hostile addresses are refused and never a failure of ours', async () => {
  const hour = hourPath(someHour);
  for (const url of [
    '/..%2f..%2fetc/index.m3u8',
    '/%2e%2e/index.m3u8',
    '/cam%00/index.m3u8',
    '/cam%2f../index.m3u8',
    `/cam/${hour}/..%2f..%2f14.ts`,
    `/cam/${hour}/0-1880%00.ts`,
    `/cam/${hour}/-1--1.ts`,
    `/cam/${hour}/0-1880.tables.ts.ts`,
    `/cam/${hour}/${'9'.repeat(190)}-1.ts`,
    `/cam/${hour}/${'9'.repeat(5000)}-1.ts`,
    '/cam/9999/99/99/99.ts',
    '/cam/..%2f..%2f/11/21/10.ts',
    '/cam/archive-99999999999999999999-1.m3u8',
    '/cam/archive-1-99999999999999999999.m3u8',
    '/cam/archive-253402300799-2678400.m3u8',
    '/cam/%zz.m3u8',
    '/%ff%fe/index.m3u8',
    '/.reelvault/index.m3u8',
    `/${'a'.repeat(64)}/index.m3u8`,
  ]) {
    const { statusCode } = await get(url);
    assert.ok([400, 404, 414].includes(statusCode), `${url.slice(0, 80)}: ${statusCode}`);
  }
  const part = fc.string({ unit: 'binary' }).map(encodeURIComponent);
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(part, fc.constantFrom('cam', '2026', '11', '21', '10', '..', 'index.m3u8', '0-1880.ts', '%00', '%2f')),
        { minLength: 1, maxLength: 7 },
      ),
      fc.string(),
      async (parts, range) => {
        const header = range.replaceAll(/[^\x20-\x7e]/g, '?');
        const { statusCode } = await get(`/${parts.join('/')}`, { range: header });
        assert.ok(statusCode < 500, `${parts.join('/')}: ${statusCode}`);
      },
    ),
    { numRuns: 300 },
  );
});

test('clients that go away in the middle leave no descriptor', async () => {
  const address = app.server.address() as { port: number };
  const large = segmentsOf(someHour + 3, [{ at: 0, length: 188 * 200_000 }]);
  volume.reel('cam', large);
  const url = `http://127.0.0.1:${address.port}/cam/${hourPath(someHour + 3)}/0-${188 * 200_000}.ts`;
  const descriptors = (): number =>
    fs.readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(volume.root);
      } catch {
        return false; // the one that lists them
      }
    }).length;
  const before = descriptors();
  for (let turn = 0; turn < 20; turn += 1) {
    const abort = new AbortController();
    const answer = await fetch(url, { signal: abort.signal });
    await answer.body?.getReader().read();
    abort.abort();
  }
  const deadline = Date.now() + 10_000;
  // A descriptor is closed by a thread, and told afterwards.
  while ((descriptors() > before || archive.reading > 0) && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(descriptors(), before);
  assert.equal(archive.reading, 0);
});
