/**
 * A connection that is read half by Node and half by native code: Node's server gets the request's head and, when the body is over, the end of it,
 * so that routing, access rules and answers are as for every request. The body in between does not come through here.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { BodyReader } from '../native.ts';
import type { BodyEars, PublishedBody } from './published-body.ts';

/** What ends a body in chunks (RFC 9112 section 7.1), and what no parser takes for a chunk. */
const [lastChunk, noChunk] = ['0\r\n\r\n', 'x\r\n'];

export class DirectBody implements PublishedBody {
  readonly #reader: BodyReader;
  readonly #headBytes: number;
  #ears: BodyEars | undefined;
  #begun = false as boolean;
  #ended = false as boolean;

  constructor(reader: BodyReader, headBytes: number) {
    this.#reader = reader;
    this.#headBytes = headBytes;
  }

  get ended(): boolean {
    return this.#ended;
  }

  listen(ears: BodyEars): void {
    this.#ears = ears;
    if (this.#ended) {
      this.end();
    } else if (!this.#begun) {
      this.#begun = true;
      this.#reader.take(this.#headBytes);
    }
  }

  pause(): void {
    this.#reader.pause();
  }

  resume(): void {
    this.#reader.resume();
  }

  bytes(bytes: Buffer): void {
    this.#ears?.onBytes(bytes);
  }

  end(): void {
    this.#ended = true;
    const ears = this.#ears;
    this.#ears = undefined;
    ears?.onEnd();
  }
}

export class DirectConnection extends Duplex {
  /** The connection itself. Nobody may read it. */
  readonly socket: Socket;
  readonly body: DirectBody;
  readonly #reader: BodyReader;

  /** `head`: of the request, to the empty line. The reader, and the socket, are closed with the connection. */
  constructor(socket: Socket, reader: BodyReader, head: Buffer) {
    super();
    this.socket = socket;
    this.#reader = reader;
    this.body = new DirectBody(reader, head.length);
    socket.once('close', () => this.destroy()).on('error', (error) => this.destroy(error));
    this.push(head);
  }

  get remoteAddress(): string | undefined {
    return this.socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.socket.remotePort;
  }

  /** From the reader. */
  bodyEnds(how: 'over' | 'gone' | 'bad'): void {
    this.body.end();
    if (this.destroyed) return;
    if (how === 'over') this.push(lastChunk);
    // Node's parser refuses it, and answers as it does where it reads itself.
    if (how === 'bad') this.push(noChunk);
    this.push(null);
  }

  /** Node reads when it is pushed to. */
  override _read(): void {}

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket.write(bytes, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    // The answer is out, and it was the only one of the connection.
    this.socket.end(() => {
      done();
      this.destroy();
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#reader.close();
    this.body.end();
    this.socket.destroy();
    done(error);
  }
}

/** The connection of a request, whoever reads it. */
export const directConnectionOf = ({ socket }: IncomingMessage): DirectConnection | undefined => {
  const connection: Duplex = socket;
  return connection instanceof DirectConnection ? connection : undefined;
};
