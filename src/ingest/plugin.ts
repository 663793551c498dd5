/**
 * `PUT` and `POST /ingest/<stream>`: a body of MPEG-TS, chunked or with a length, recorded as it comes. The answer comes at its end,
 * when all of it is durable: what was recorded, or why not. The server must have been through `forPublishers`.
 */
import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { Publication } from '../recorder/publication.ts';
import { checkStreamName } from '../recorder/stream-registry.ts';
import { directConnectionOf } from './direct-connection.ts';
import { type LingerLimits, lingering } from './linger.ts';
import { ParsedBody, type PublishedBody } from './published-body.ts';
import { Pump } from './pump.ts';

declare module 'fastify' {
  interface FastifyRequest {
    published: PublishedBody | null;
  }
}

export interface IngestParams {
  readonly recorder: { openSession(stream: string, publisher: string): Promise<Publication> };
  /** A publisher that sends nothing for this long is let go. */
  readonly idleMs: number;
  /** How long a refused publisher is heard out. */
  readonly linger?: LingerLimits;
}

const defaultLinger: LingerLimits = { bytes: 16 * 1024 * 1024, ms: 2_000 };

const bodyOf = ({ raw }: FastifyRequest): PublishedBody => directConnectionOf(raw)?.body ?? new ParsedBody(raw);

export const ingestPlugin =
  ({ recorder, idleMs, linger = defaultLinger }: IngestParams): FastifyPluginAsync =>
  async (app) => {
    // The body is never parsed: types that publishers send (or leave out) mean nothing here.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    app.decorateRequest('published', null);
    app.addHook('onRequest', async (request) => {
      delete request.raw.headers['content-type'];
      request.published = bodyOf(request);
    });

    app.addHook('onSend', async (request, reply, payload) => {
      const body = request.published ?? bodyOf(request);
      if (typeof payload !== 'string' || body.ended) return payload;
      reply.header('connection', 'close').header('content-length', Buffer.byteLength(payload));
      return lingering(payload, body, linger);
    });

    app.route<{ Params: { stream: string } }>({
      method: ['PUT', 'POST'],
      url: '/ingest/:stream',
      handler: async (request) => {
        const stream = checkStreamName(request.params.stream);
        const publisher = `${request.ip}:${request.socket.remotePort ?? 0}`;
        const pump = new Pump({
          body: request.published ?? bodyOf(request),
          stream,
          idleMs,
          openSession: () => recorder.openSession(stream, publisher),
        });
        return pump.run();
      },
    });
  };
