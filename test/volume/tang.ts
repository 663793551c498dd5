/** A real Tang server on loopback, which can be stopped, come back on its port, and be replaced by one that answers badly. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { run } from '../../src/exec/run.ts';

const libexec = '/usr/libexec';

export class Tang {
  readonly #database: string;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  #port = 0;

  constructor(root: string) {
    this.#database = path.join(root, 'tang');
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    await mkdir(this.#database, { recursive: true });
    if (this.#port === 0) await run(`${libexec}/tangd-keygen`, [this.#database], { timeoutMs: 30_000 });
    await this.answer((socket) => {
      const served = spawn(`${libexec}/tangd`, [this.#database], { stdio: [socket, socket, 'ignore'] });
      served.on('exit', () => socket.destroy());
    });
  }

  /** Listens, on the same port as before, and leaves each connection to `answer`. */
  async answer(answer: (socket: Socket) => void): Promise<void> {
    await this.stop();
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket));
      answer(socket);
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    if (server === undefined) return;
    server.close();
    await once(server, 'close');
  }
}

const header = 'HTTP/1.1 200 OK\r\nContent-Type: application/jose+json\r\nConnection: close\r\n\r\n';

/** What a server may do instead of answering. */
export const hostile = {
  silence: (_socket: Socket) => {},
  garbage: (socket: Socket) => socket.end(`${header}{"payload":[]`),
  'other JSON': (socket: Socket) => socket.end(`${header}{"payload":"e30","keys":[],"kty":"RSA"}`),
  'no HTTP': (socket: Socket) => socket.end('\0\u0001\u0002'),
  endless: (socket: Socket) => {
    const piece = Buffer.alloc(1024 * 1024, 'x');
    socket.write(header);
    const more = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on('drain', more);
    more();
  },
  drip: (socket: Socket) => {
    socket.write(header);
    const timer = setInterval(() => socket.write('x'), 100);
    socket.once('close', () => clearInterval(timer));
  },
} satisfies Readonly<Record<string, (socket: Socket) => void>>;
