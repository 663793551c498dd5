/**
 * Answers to publishers that are still sending. Closing a socket with unread bytes makes the kernel reset the connection, and the
 * reset overtakes the answer; so the answer is sent, and what still comes is read and thrown away for a while before the end.
 */

import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

export interface LingerLimits {
  /** Most bytes to throw away. */
  readonly bytes: number;
  /** Longest time to wait for the publisher's end. */
  readonly ms: number;
}

/** Resolves when the request has ended, its sender has gone, or a limit is reached. */
const drained = (request: IncomingMessage, limits: LingerLimits): Promise<void> =>
  new Promise((resolve) => {
    let left = limits.bytes;
    const timer = setTimeout(finish, limits.ms);
    function finish(): void {
      clearTimeout(timer);
      resolve();
    }
    if (request.readableEnded || request.destroyed) return finish();
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) finish();
    });
    request.once('end', finish).once('close', finish).on('error', finish);
    request.resume();
  });

/** The answer's body, which ends only when the publisher has been heard out. Its length must be in Content-Length. */
export const lingering = (body: string, request: IncomingMessage, limits: LingerLimits): Readable => {
  const answer = new Readable({ read() {} });
  answer.push(body);
  void drained(request, limits).then(() => answer.push(null));
  return answer;
};
