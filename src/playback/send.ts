/** Answers with bytes of a reel: validators, ranges, HEAD. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { VolumeArchive } from '../archive/archive.ts';
import { ReelError } from '../errors.ts';
import { matchesEtag, parseRange, rangeAllowed } from './byte-range.ts';

export interface ReelBytes {
  readonly archive: VolumeArchive;
  readonly stream: string;
  readonly hour: number;
  readonly offset: number;
  readonly length: number;
  /** Strong: the same tag means the same bytes, for ever. */
  readonly etag: string;
  readonly cacheControl: string;
}

/** Durable bytes never change: a year is what caches understand as for ever. */
export const immutable = 'public, max-age=31536000, immutable';

export const sendBytes = (request: FastifyRequest, reply: FastifyReply, bytes: ReelBytes): FastifyReply => {
  const { range: rangeHeader, 'if-none-match': ifNoneMatch } = request.headers;
  const ifRange = request.headers['if-range'] as string | undefined; // Node joins or drops repeated ones
  reply.header('etag', bytes.etag).header('cache-control', bytes.cacheControl).header('accept-ranges', 'bytes');
  if (matchesEtag(ifNoneMatch, bytes.etag)) return reply.code(304).send();
  // RFC 9110 14.2: a Range header means something only with GET.
  const wanted =
    request.method === 'GET' && rangeAllowed(ifRange, bytes.etag) ? parseRange(rangeHeader, bytes.length) : undefined;
  if (wanted === 'unsatisfiable') {
    reply.header('content-range', `bytes */${bytes.length}`).removeHeader('etag').header('cache-control', 'no-store');
    throw new ReelError('range-invalid', {
      expected: `a range inside of ${bytes.length} bytes`,
      got: JSON.stringify(rangeHeader?.slice(0, 80)),
    });
  }
  const { start, end } = wanted ?? { start: 0, end: bytes.length - 1 };
  if (wanted !== undefined) reply.code(206).header('content-range', `bytes ${start}-${end}/${bytes.length}`);
  reply.type('video/mp2t').header('content-length', end - start + 1);
  if (request.method === 'HEAD') return reply.send();
  return reply.send(bytes.archive.read(bytes.stream, bytes.hour, bytes.offset + start, bytes.offset + end));
};
