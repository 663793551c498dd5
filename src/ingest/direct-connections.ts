/** Finds out which connections are a publisher's, whose body native code reads; all others are Node's. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { descriptorOf } from '../exec/raw-socket.ts';
import { type BodyListener, type BodyReader, BodyReaders } from '../native.ts';
import { DirectConnection, directConnectionOf } from './direct-connection.ts';

/** How long a connection that says nothing is waited for before it is Node's, which has limits of its own. */
const silenceMs = 1000;

/**
 * The head of a request as all encoders write it, in one piece; what is unusual is not our business. No message but one in chunks, and nothing that
 * could make two readers find different ends of it.
 */
const headOf = (begin: Buffer): Buffer | undefined => {
  const end = begin.indexOf('\r\n\r\n') + 4;
  if (end < 4) return undefined;
  const head = begin.toString('latin1', 0, end);
  if (!/^(PUT|POST) \/ingest\/[A-Za-z0-9._-]+(\?[^\s#]*)? HTTP\/1\.1\r\n/.test(head)) return undefined;
  const framing = head.match(/^(transfer-encoding|content-length|upgrade|te):.*$/gim) ?? [];
  const [only, another] = framing;
  if (another !== undefined || !/^transfer-encoding: *chunked\r?$/i.test(only ?? '')) return undefined;
  // Node says no to these.
  return /\r(?!\n)|(?<!\r)\n|\0/.test(head) ? undefined : Buffer.from(begin.subarray(0, end));
};

/** For a server without TLS, before it listens. */
export const readBodiesDirectly = (server: Server): void => {
  const readers = new BodyReaders();
  const [serve] = server.listeners('connection') as ((connection: Socket | DirectConnection) => void)[];
  if (serve === undefined) throw new TypeError('Expected a server that serves connections');
  server.removeAllListeners('connection');
  // Node reads nothing of a socket until it is told to.
  Object.assign(server, { pauseOnConnect: true });

  server.on('connection', (socket: Socket) => {
    let direct: DirectConnection | undefined;
    let reader: BodyReader | undefined;
    const leave = (): void => {
      clearTimeout(silence);
      socket.off('close', leave);
      reader?.close();
    };
    const toNode = (): void => {
      leave();
      if (!server.listening) return void socket.destroy();
      serve.call(server, socket);
      socket.resume();
    };
    const silence = setTimeout(toNode, silenceMs);
    socket.once('close', leave);
    const listener: BodyListener = {
      onHead: (begin) => {
        const head = headOf(begin);
        if (head === undefined || reader === undefined) return toNode();
        clearTimeout(silence);
        socket.off('close', leave);
        direct = new DirectConnection(socket, reader, head);
        serve.call(server, direct);
      },
      onBytes: (bytes) => direct?.body.bytes(bytes),
      onEnd: (how) => direct?.bodyEnds(how),
    };
    try {
      reader = readers.open(descriptorOf(socket), listener);
    } catch {
      toNode(); // no descriptor left: Node needs none of its own
    }
  });
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    // What native code has read into, nobody else can go on reading.
    if (directConnectionOf(request) !== undefined) response.setHeader('connection', 'close');
  });
};
