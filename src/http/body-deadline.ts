/** The server has no time limit for requests, because a publisher's lasts for days; all other bodies get one here. */
import type { FastifyInstance } from 'fastify';

const bodyMs = 30_000;

export const limitBodyTime = (app: FastifyInstance): void => {
  const timers = new WeakMap<object, NodeJS.Timeout>();
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.access === 'publish') return;
    timers.set(
      request.raw,
      setTimeout(() => request.raw.destroy(), bodyMs),
    );
  });
  const stop = async (request: { raw: object }): Promise<void> => clearTimeout(timers.get(request.raw));
  app.addHook('preValidation', stop);
  app.addHook('onResponse', stop);
  app.addHook('onRequestAbort', stop);
};
