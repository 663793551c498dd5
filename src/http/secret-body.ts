/**
 * Secrets come as raw bytes (`application/octet-stream`), so they never become a string or JSON in this process. The buffer is zeroed when the
 * answer is out or the caller has gone.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ReelError } from '../errors.ts';

/** What the helper takes. */
export const maxSecretBytes = 64 * 1024;

const collect = async (payload: AsyncIterable<Buffer>): Promise<Buffer> => {
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of payload) {
      pieces.push(piece);
      size += piece.length;
      if (size > maxSecretBytes) {
        throw new ReelError('body-too-large', { expected: `a secret of at most ${maxSecretBytes} bytes`, got: 'more' });
      }
    }
    return Buffer.concat(pieces, size);
  } finally {
    for (const piece of pieces) piece.fill(0);
  }
};

const wipe = (request: FastifyRequest): void => {
  if (Buffer.isBuffer(request.body)) request.body.fill(0);
};

/** For the routes registered in this scope. */
export const acceptSecrets = (app: FastifyInstance): void => {
  const parse = (_request: FastifyRequest, payload: AsyncIterable<Buffer>): Promise<Buffer> => collect(payload);
  app.addContentTypeParser('application/octet-stream', { bodyLimit: maxSecretBytes }, parse);
  app.addHook('onResponse', async (request) => wipe(request));
  app.addHook('onRequestAbort', async (request) => wipe(request));
};

/** The secret of the request, or `undefined` where none was sent. An empty body is a mistake: nobody means the empty passphrase. */
export const secretOf = (request: FastifyRequest): Buffer | undefined => {
  if (request.body === undefined || request.body === null) return undefined;
  if (Buffer.isBuffer(request.body) && request.body.length > 0) return request.body;
  throw new ReelError('invalid-argument', {
    expected: 'the bytes of a passphrase (application/octet-stream)',
    got: Buffer.isBuffer(request.body) ? 'an empty body' : 'a body of another kind',
  });
};
