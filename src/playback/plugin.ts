/** Playback over HTTP: playlists, segments, reels. Register it at the root; every route begins with the stream's name. */
import type { FastifyPluginAsync } from 'fastify';
import { type PlaylistParams, playlistRoutes } from './playlist-routes.ts';
import { segmentRoutes } from './segment-routes.ts';

export const playbackPlugin =
  (params: PlaylistParams): FastifyPluginAsync =>
  async (app) => {
    // Players run on other sites' pages. Errors carry it too: a page may read why there is nothing to play.
    app.addHook('onRequest', async (_request, reply) => {
      reply.header('access-control-allow-origin', '*');
      reply.header('access-control-expose-headers', 'accept-ranges, content-length, content-range, etag');
    });
    playlistRoutes(app, params);
    segmentRoutes(app, params.source);
  };
