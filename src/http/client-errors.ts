/** Answers what Node refuses before there is a request: with the form of all errors, where Node by itself says a status and nothing else. */
import { randomUUID } from 'node:crypto';
import { type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyBaseLogger } from 'fastify';
import { ReelError } from '../errors.ts';

/** Bytes. No URL of this service comes near; what lies above is a mistake or an attack. */
export const longestUrl = 8192;
/**
 * Bytes of request line and headers together. Less than the longest TLS record (16 KiB), so that the piece at which the parser gives up is the
 * first one of a large request, which tells a long URL from large headers.
 */
export const mostHeaderBytes = 15 * 1024;
/** How long an answer may take to be read before the connection is cut. */
const lingerMs = 2000;

export const urlTooLong = (): ReelError =>
  new ReelError('url-too-long', {
    expected: `a URL of at most ${longestUrl} bytes, names in its path of at most 200`,
    got: 'a longer one',
  });

interface ClientError extends Error {
  readonly code?: string;
  /** The piece of the request at which the parser gave up. */
  readonly rawPacket?: Buffer;
}

/** Whether the piece begins a request and holds so much of it without a line end. Of a later piece nobody can tell: its URL may have been short. */
const isUrlTooLong = (piece: Buffer | undefined): boolean => {
  const start = piece?.subarray(0, longestUrl + 32).toString('latin1') ?? '';
  return /^[A-Z]+ \//.test(start) && !start.includes('\r\n') && start.length > longestUrl;
};

const reelErrorOf = ({ code, rawPacket }: ClientError): ReelError => {
  if (code === 'HPE_HEADER_OVERFLOW') {
    if (isUrlTooLong(rawPacket)) return urlTooLong();
    return new ReelError('headers-too-large', {
      expected: `at most ${mostHeaderBytes} bytes of request line and headers`,
      got: 'more',
      hint: 'send fewer or shorter headers, cookies for example',
    });
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new ReelError('request-timeout', { expected: 'all headers within 15 s', got: 'not all of them' });
  }
  // The code only: the parser's words could quote what was sent.
  return new ReelError('invalid-argument', {
    expected: 'a request of HTTP/1.1',
    got: `one refused with ${code ?? 'no code'}`,
  });
};

const answerOf = (error: ReelError, requestId: string): string => {
  const body = JSON.stringify({ error: { ...error.toJSON(), requestId } });
  const { http: status } = error.row;
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    'x-content-type-options: nosniff',
    `x-request-id: ${requestId}`,
    'connection: close',
    '',
    body,
  ].join('\r\n');
};

/** For each listener. What the client goes on to send is read and thrown away, because a reset would take the answer with it. */
export const answerClientErrors = (server: Server, log: FastifyBaseLogger): void => {
  const answered = new WeakSet<Duplex>();
  server.on('clientError', (thrown: ClientError, socket: Duplex) => {
    if (answered.has(socket)) return;
    if (thrown.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    answered.add(socket);
    const error = reelErrorOf(thrown);
    const requestId = randomUUID();
    log.debug({ reqId: requestId, code: error.code, parser: thrown.code }, 'request refused before it was one');
    socket.end(answerOf(error, requestId));
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once('close', () => clearTimeout(timer));
  });
};
