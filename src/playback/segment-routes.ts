/** Segments, their tables, and whole reels. Only bytes that a durable index record names leave the archive. */
import type { FastifyInstance } from 'fastify';
import { hourPath } from '../archive/reel.ts';
import type { Segment } from '../archive/segment.ts';
import { ReelError } from '../errors.ts';
import { checkStreamName } from '../recorder/stream-registry.ts';
import { parseReelParams, parseSegmentName, type ReelParams } from './address.ts';
import { immutable, sendBytes } from './send.ts';
import type { PlaybackSource } from './source.ts';
import { tablesOf } from './tables-lookup.ts';

type Params = ReelParams & { readonly stream: string };

const tablesSuffix = '.tables';

const missing = (hour: number, got: string): ReelError =>
  new ReelError('no-recording', { expected: `a segment of the reel ${hourPath(hour)} as a playlist names it`, got });

const tagOf = (segment: Segment, extra = ''): string =>
  `"${segment.crc32c.toString(16).padStart(8, '0')}-${segment.offset}-${segment.length}${extra}"`;

export const segmentRoutes = (app: FastifyInstance, source: PlaybackSource): void => {
  app.route<{ Params: Params & { range: string } }>({
    method: ['GET', 'HEAD'],
    url: '/:stream/:year/:month/:day/:hour/:range.ts',
    handler: async (request, reply) => {
      const { range } = request.params;
      const stream = checkStreamName(request.params.stream);
      const hour = parseReelParams(request.params);
      const wantsTables = range.endsWith(tablesSuffix);
      const { offset, length } = parseSegmentName(wantsTables ? range.slice(0, -tablesSuffix.length) : range);
      const archive = source.archive(stream);
      const segment = await archive.find(stream, hour, offset, length);
      if (segment === undefined) throw missing(hour, `${offset}-${length}`);
      if (!wantsTables)
        return sendBytes(request, reply, {
          archive,
          stream,
          hour,
          offset,
          length,
          etag: tagOf(segment),
          cacheControl: immutable,
        });
      const tables = await tablesOf(archive, stream, await archive.reel(stream, hour), segment);
      if (tables === undefined) throw missing(hour, 'no PAT and PMT from this segment on');
      return reply
        .header('etag', tagOf(segment, '-tables'))
        .header('cache-control', immutable)
        .type('video/mp2t')
        .send(tables);
    },
  });

  app.route<{ Params: Params }>({
    method: ['GET', 'HEAD'],
    url: '/:stream/:year/:month/:day/:hour.ts',
    handler: async (request, reply) => {
      const stream = checkStreamName(request.params.stream);
      const hour = parseReelParams(request.params);
      const archive = source.archive(stream);
      const last = (await archive.reel(stream, hour)).at(-1);
      if (last === undefined) throw missing(hour, 'an hour without recording');
      const length = last.offset + last.length;
      // The reel may still grow; its tag changes with it, as the last segment's offset does.
      const cacheControl = 'no-cache';
      return sendBytes(request, reply, {
        archive,
        stream,
        hour,
        offset: 0,
        length,
        etag: tagOf(last, '-reel'),
        cacheControl,
      });
    },
  });
};
