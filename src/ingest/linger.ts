/**
 * Answers to publishers that are still sending. Closing a socket with unread bytes makes the kernel reset the connection, and the
 * reset overtakes the answer; so the answer is sent, and what still comes is read and thrown away for a while before the end.
 */

import { Readable } from 'node:stream';
import type { PublishedBody } from './published-body.ts';

export interface LingerLimits {
  /** Most bytes to throw away. */
  readonly bytes: number;
  /** Longest time to wait for the publisher's end. */
  readonly ms: number;
}

/** Resolves when the body has ended, its sender has gone, or a limit is reached. */
const drained = (body: PublishedBody, limits: LingerLimits): Promise<void> =>
  new Promise((resolve) => {
    let left = limits.bytes;
    const timer = setTimeout(finish, limits.ms);
    function finish(): void {
      clearTimeout(timer);
      resolve();
    }
    const onBytes = (bytes: Buffer): void => {
      left -= bytes.length;
      if (left < 0) finish();
    };
    body.listen({ onBytes, onEnd: finish });
    body.resume();
  });

/** The answer, which ends only when the publisher has been heard out. Its length must be in Content-Length. */
export const lingering = (text: string, body: PublishedBody, limits: LingerLimits): Readable => {
  const answer = new Readable({ read() {} });
  answer.push(text);
  void drained(body, limits).then(() => answer.push(null));
  return answer;
};
