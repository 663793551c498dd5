/** Playlists, and what is recorded when. */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { VolumeArchive } from '../archive/archive.ts';
import type { TimeRange } from '../archive/segment.ts';
import { ReelError } from '../errors.ts';
import { releaseMemory } from '../native/release-memory.ts';
import { checkStreamName } from '../recorder/stream-registry.ts';
import { maxDurationSeconds, parsePlaylistName, parseSeconds } from './address.ts';
import { ArchivePlaylist, type ArchiveSpan } from './archive-playlist.ts';
import { livePlaylist } from './live-playlist.ts';
import { liveWindow } from './live-window.ts';
import type { PlaybackSource } from './source.ts';
import { withoutTables } from './tables-lookup.ts';

export interface PlaylistParams {
  readonly source: PlaybackSource;
  /** Segments of a live playlist. */
  readonly liveSegments: number;
  /** A stream without publisher is over this long after its last segment's end, or after its publisher has gone if that is sooner: its live playlist ends. */
  readonly liveLingerMs: number;
  /** Unix milliseconds. */
  readonly now: () => number;
}

const dayUs = 86_400_000_000;

const seconds = (range: TimeRange): { from: number; to: number } => ({
  from: range.startUs / 1e6,
  to: range.endUs / 1e6,
});

/** `no-recording`, with the recorded ranges within a day of the span. */
const nothingIn = async (archive: VolumeArchive, span: ArchiveSpan): Promise<ReelError> => {
  const near = [
    ...(await archive.ranges(span.stream, Math.max(0, span.fromUs - dayUs), span.fromUs)).slice(-10),
    ...(await archive.ranges(span.stream, span.toUs, span.toUs + dayUs)).slice(0, 10),
  ];
  return new ReelError('no-recording', {
    expected: `something recorded from ${span.fromUs / 1e6} to ${span.toUs / 1e6}`,
    got: near.length === 0 ? 'nothing within a day of it' : 'recordings before or after it only',
    details: { stream: span.stream, near: near.map(seconds) },
  });
};

const asPlaylist = (reply: FastifyReply): FastifyReply =>
  reply.type('application/vnd.apple.mpegurl').header('cache-control', 'no-cache');

export const playlistRoutes = (app: FastifyInstance, params: PlaylistParams): void => {
  const { source, liveSegments, liveLingerMs, now } = params;

  /**
   * Whether nothing will follow the segment that ends at `lastUs` for now. Where the wall clock was set back, or the publisher sent faster
   * than real time, that end lies in the future: then it counts for how long nobody has published.
   */
  const isOver = (stream: string, lastUs: number): boolean =>
    !source.isRecording(stream) && (now() - lastUs / 1000 > liveLingerMs || source.idleMs(stream) > liveLingerMs);

  const sendLive = async (stream: string, reply: FastifyReply): Promise<FastifyReply> => {
    const archive = source.archive(stream);
    const window = await liveWindow(archive, source, stream, liveSegments);
    if (window === undefined)
      throw new ReelError('no-recording', {
        expected: 'a first segment of the stream',
        got: 'none yet',
        details: { stream },
      });
    const over = isOver(stream, window.listed.at(-1)?.reel.lastEndUs ?? 0);
    const without = await Promise.all(window.listed.map((part) => withoutTables(archive, stream, part)));
    const text = livePlaylist(window, { segmentMs: source.segmentMs(stream), over, withoutTables: without });
    return asPlaylist(reply).send(text);
  };

  const sendArchive = async (
    span: ArchiveSpan,
    type: 'VOD' | 'EVENT',
    reply: FastifyReply,
    isHead: boolean,
  ): Promise<FastifyReply> => {
    const archive = source.archive(span.stream);
    const newest = type === 'EVENT' ? (await archive.newestReel(span.stream))?.reel.lastEndUs : undefined;
    const playlist = await ArchivePlaylist.read(archive, span);
    if (playlist === undefined) throw await nothingIn(archive, span);
    const over = type === 'VOD' || newest === undefined || isOver(span.stream, newest);
    // An event grows by segments that are not known yet, and its target must not: it starts from what the segments aim at.
    const targetDuration =
      type === 'VOD' ? playlist.longest : Math.max(playlist.longest, Math.ceil(source.segmentMs(span.stream) / 1000));
    asPlaylist(reply);
    if (isHead) return reply.send();
    const text = playlist.text({ type, over, targetDuration });
    if (!Buffer.isBuffer(text)) return reply.send(Readable.from(text, { objectMode: false }));
    reply.raw.once('close', () => releaseMemory(text));
    return reply.send(text);
  };

  app.route<{ Params: { stream: string; name: string } }>({
    method: ['GET', 'HEAD'],
    url: '/:stream/:name.m3u8',
    handler: async (request, reply) => {
      const stream = checkStreamName(request.params.stream);
      const address = parsePlaylistName(request.params.name);
      if (address.kind === 'live') return sendLive(stream, reply);
      const isHead = request.method === 'HEAD';
      if (address.kind === 'archive') return sendArchive({ stream, ...address }, 'VOD', reply, isHead);
      const toUs = Math.min(address.fromUs + maxDurationSeconds * 1e6, (now() + 86_400_000) * 1000);
      return sendArchive({ stream, fromUs: address.fromUs, toUs }, 'EVENT', reply, isHead);
    },
  });

  app.get<{ Params: { stream: string }; Querystring: Record<string, unknown> }>(
    '/:stream/recording_status.json',
    async (request, reply) => {
      const stream = checkStreamName(request.params.stream);
      const { from, to, request: wanted } = request.query;
      if (wanted !== 'ranges' || typeof from !== 'string' || typeof to !== 'string')
        throw new ReelError('invalid-argument', {
          expected: 'from, to (Unix seconds) and request=ranges in the query',
          got: JSON.stringify(request.query).slice(0, 200),
        });
      const fromUs = parseSeconds(from, 'from');
      const toUs = parseSeconds(to, 'to');
      if (toUs <= fromUs || toUs - fromUs > maxDurationSeconds * 1e6)
        throw new ReelError('invalid-argument', {
          expected: `to after from, by at most ${maxDurationSeconds} seconds`,
          got: `${from} and ${to}`,
        });
      const ranges = (await source.archive(stream).ranges(stream, fromUs, toUs)).map(seconds);
      return reply.header('cache-control', 'no-cache').send([
        {
          stream,
          ranges: ranges.map(({ from, to }) => ({
            from: Math.floor(from),
            duration: Math.ceil(to) - Math.floor(from),
          })),
        },
      ]);
    },
  );
};
