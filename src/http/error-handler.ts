/** Turns what routes throw into answers. Strangers learn the code of a failure inside, the admin what happened, the log everything. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { ReelError } from '../errors.ts';
import { isAdmin } from './access.ts';
import { longestUrl, urlTooLong } from './client-errors.ts';
import { schemaError } from './schema-errors.ts';

/** Every answer that is no success has this form. */
export const errorSchema = Type.Object(
  {
    error: Type.Object({
      code: Type.String({ description: 'one of docs/errors.md' }),
      message: Type.String(),
      expected: Type.String(),
      got: Type.String(),
      hint: Type.Optional(Type.String()),
      retryable: Type.Boolean(),
      details: Type.Record(Type.String(), Type.Any()),
      requestId: Type.String({ description: 'the same as in the log of the service' }),
    }),
  },
  { $id: 'Error' },
);

/** For the `response` of every route. */
export const errorAnswers = { '4xx': Type.Ref('Error'), '5xx': Type.Ref('Error') };

/** What fastify itself refuses, before a route runs. */
const fromFastify = (error: FastifyError, request: FastifyRequest): ReelError | undefined => {
  const refused = schemaError(error);
  if (refused !== undefined) return refused;
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new ReelError('body-too-large', {
      expected: `at most ${request.routeOptions.bodyLimit} bytes`,
      got: 'more',
    });
  }
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new ReelError('media-type', { expected: 'a media type of this route', got: 'another one' });
  }
  if (error.code === 'FST_ERR_CTP_INVALID_JSON_BODY' || error.code === 'FST_ERR_CTP_EMPTY_JSON_BODY') {
    const got = error.code === 'FST_ERR_CTP_EMPTY_JSON_BODY' ? 'nothing' : 'something else';
    return new ReelError('invalid-argument', { expected: 'JSON in the body', got });
  }
  const status = error.statusCode ?? 500;
  // Not the message: parsers quote the body in it.
  return status >= 400 && status < 500
    ? new ReelError('invalid-argument', {
        expected: 'a well-formed request',
        got: `one refused with ${error.code}`,
      })
    : undefined;
};

const knownError = (thrown: FastifyError | ReelError, request: FastifyRequest): ReelError | undefined =>
  thrown instanceof ReelError ? thrown : fromFastify(thrown, request);

const unforeseen = (thrown: unknown, request: FastifyRequest): ReelError =>
  new ReelError('internal', {
    expected: 'no unforeseen failure',
    got: 'one; its cause is in the log',
    hint: `look for the request ${request.id} there`,
    cause: thrown,
  });

const answerOf = (error: ReelError, request: FastifyRequest): ReturnType<ReelError['toJSON']> => {
  const json = error.toJSON();
  if (error.row.http < 500 || isAdmin(request)) return json;
  // Paths and output of commands are for the admin only.
  const plain = { expected: 'the service to do its part', got: error.row.text };
  return { code: json.code, message: error.row.text, ...plain, retryable: json.retryable, details: {} };
};

const send = (error: ReelError, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  if (error.code === 'unauthorized') reply.header('www-authenticate', 'Basic realm="reelvault", charset="UTF-8"');
  // Not every refusal has passed the hooks that set them.
  reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff');
  const retryAfter = error.details.retryAfterSeconds;
  if (typeof retryAfter === 'number') reply.header('retry-after', String(retryAfter));
  // No route schema here: a route may declare other answers for the status than this one.
  const body = { error: { ...answerOf(error, request), requestId: request.id } };
  return reply.status(error.row.http).type('application/json; charset=utf-8').serializer(JSON.stringify).send(body);
};

/** For what fastify refuses before there is a route: its own answer and log line would quote the URL, and with it a ticket. */
export const refuseBadUrl = (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
  const undecodable = { expected: 'a well-formed URL', got: 'one that cannot be decoded' };
  const isLong = error.statusCode === 414;
  send(isLong ? urlTooLong() : new ReelError('invalid-argument', undecodable), request, reply);
};

/** First of all hooks: nothing else reads a URL that long. */
export const limitUrls = (app: FastifyInstance): void => {
  app.addHook('onRequest', async (request) => {
    if (request.url.length > longestUrl) throw urlTooLong();
  });
};

export const handleErrors = (app: FastifyInstance): void => {
  app.setErrorHandler((thrown: FastifyError, request, reply) => {
    const error = knownError(thrown, request) ?? unforeseen(thrown, request);
    // An error in the log is a defect or damage; what a stop, a full disk or a busy part makes fail is told, without a stack.
    if (error.code === 'internal') request.log.error({ err: thrown }, 'request failed');
    else if (error.row.kind === 'damaged') request.log.error({ err: error }, 'request failed');
    else if (error.row.http >= 500) request.log.warn({ code: error.code, reason: error.message }, 'request failed');
    return send(error, request, reply);
  });
  app.setNotFoundHandler((request, reply) => {
    const got = `${request.method} of a path that no route answers`;
    return send(new ReelError('not-found', { expected: 'a route of this service', got }), request, reply);
  });
};
