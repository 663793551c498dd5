/** What a server must be so that publishers that close right after their last byte lose nothing. */
import type http from 'node:http';
import https from 'node:https';
import { ReelError } from '../errors.ts';
import { readBodiesDirectly } from './direct-connections.ts';

/** The part of Node's inside that is used; `test/ingest` proves with ffmpeg that it does what it is for. */
interface SharedCredentials {
  readonly context?: {
    onticketkeycallback?: (name: Buffer, iv: Buffer, encrypt: boolean) => readonly [number, ...Buffer[]];
    enableTicketKeyCallback?: () => void;
  };
}

/**
 * A TLS 1.3 server sends session tickets that a publisher never reads. A socket that is closed with bytes unread is reset by the kernel, which throws
 * away what it had not sent yet: the end of the stream. Node has no setting for the number of tickets, so each is refused (result 0) at the moment
 * it would be made. Clients shake hands in full each time.
 */
const refuseTickets = (server: https.Server): void => {
  const { context } = (server as unknown as { _sharedCreds?: SharedCredentials })._sharedCreds ?? {};
  if (context?.enableTicketKeyCallback === undefined)
    throw new ReelError('internal', {
      expected: 'a Node release whose TLS tickets can be refused',
      got: process.version,
      hint: 'run the release that package.json names',
    });
  const [key, block] = [Buffer.alloc(32), Buffer.alloc(16)];
  context.onticketkeycallback = () => [0, key, block, block, block];
  context.enableTicketKeyCallback();
};

/** Prepares a server before it listens; returns it. */
export const forPublishers = <T extends http.Server | https.Server>(server: T): T => {
  // Without it Node aborts a request that has not been answered as soon as its sender closes, with whatever nobody has read yet.
  // `allowHalfOpen` is the same for the TLS layer below; a plain server has it on.
  Object.assign(server, { httpAllowHalfOpen: true, allowHalfOpen: true });
  // A publisher's request lasts as long as its stream.
  server.requestTimeout = 0;
  if (server instanceof https.Server) refuseTickets(server);
  else readBodiesDirectly(server);
  return server;
};
