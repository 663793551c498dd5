/** A browser sends Basic credentials along with requests that another site started; those must not change anything here. */
import type { FastifyRequest } from 'fastify';
import { ReelError } from '../errors.ts';

export const refuseForeignSite = (request: FastifyRequest): void => {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  const site = request.headers['sec-fetch-site'];
  const origin = request.headers.origin;
  const foreign = site !== undefined && site !== 'same-origin' && site !== 'none';
  if (!foreign && (origin === undefined || origin === `https://${request.headers.host}`)) return;
  throw new ReelError('forbidden', { expected: 'a request of this site', got: 'one that another site started' });
};
