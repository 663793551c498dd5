/** The two doors of the application: HTTPS for everybody, and a unix socket for the admin on this host. */
import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, ListenOptions, Server as NetServer } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { answersOn } from '../config/unix-socket.ts';
import { ReelError } from '../errors.ts';
import { forPublishers } from '../ingest/publisher-server.ts';
import type { KeyPair } from '../tls/certificate.ts';
import { answerClientErrors, mostHeaderBytes } from './client-errors.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ListenersParams extends Address {
  readonly app: FastifyInstance;
  readonly certificate: KeyPair;
  readonly adminSocket: string;
  /** Shared with `buildApp`: what comes through the admin socket is put in here. */
  readonly local: WeakSet<object>;
  /** How long `close()` waits for answers that are still being sent. */
  readonly graceMs?: number;
}

/** Listens, or says in words why it cannot. */
const listen = async (server: NetServer, options: ListenOptions, what: string): Promise<void> => {
  server.listen(options);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new ReelError('config-invalid', {
      expected: `to listen on ${what}`,
      got: code,
      ...(code === 'EADDRINUSE'
        ? { hint: 'another program listens there; choose another port with --listen or tuning.listen' }
        : {}),
      cause: error,
      details: { key: 'listen', errno: code },
    });
  }
};

/** Removes the socket that a killed service left. Throws `config-invalid` when somebody answers on it. */
const removeStale = async (path: string): Promise<void> => {
  if (await answersOn(path)) {
    throw new ReelError('config-invalid', { expected: `nobody on ${path}`, got: 'a service that is running already' });
  }
  await rm(path, { force: true });
};

export class Listeners {
  readonly #params: ListenersParams;
  #public: https.Server;
  readonly #admin: http.Server;
  #at: Address;
  /** No longer listen; what was begun on them goes on. */
  readonly #left = new Set<https.Server>();
  #closing: Promise<void> | undefined;

  constructor(params: ListenersParams) {
    this.#params = params;
    const { app, local, host, port } = params;
    this.#at = { host, port };
    this.#public = this.#makePublic();
    this.#admin = forPublishers(
      http.createServer({ maxHeaderSize: mostHeaderBytes }, (request, response) => {
        local.add(request);
        app.routing(request, response);
      }),
    );
  }

  async start(): Promise<void> {
    const { adminSocket } = this.#params;
    this.#prepare(this.#admin);
    await removeStale(adminSocket);
    // Nobody may connect between bind and chmod.
    const umask = process.umask(0o177);
    try {
      await listen(this.#admin, { path: adminSocket }, adminSocket);
    } finally {
      process.umask(umask);
    }
    await chmod(adminSocket, 0o600);
    await this.#listen(this.#public, this.#at);
  }

  /** Port of the HTTPS listener. */
  get port(): number {
    return (this.#public.address() as AddressInfo).port;
  }

  /**
   * HTTPS is at another address from now on; who is connected at the former one stays until his answer, or his stream, has ended. On failure it is
   * where it was.
   */
  async move(to: Address): Promise<void> {
    if (to.host === this.#at.host && to.port === this.#at.port) return;
    const overlaps = to.port === this.port;
    if (overlaps) this.#leave(this.#public);
    const server = this.#makePublic();
    try {
      await this.#listen(server, to);
    } catch (error) {
      if (overlaps) await this.#return();
      throw error;
    }
    if (!overlaps) this.#leave(this.#public);
    this.#public = server;
    this.#at = to;
  }

  /** New connections are refused at once; running answers get `graceMs` to end, publishers included. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const listening = [this.#public, this.#admin].filter((server) => server.listening);
    const servers = [...listening, ...this.#left];
    const closed = servers.map((server) => once(server, 'close'));
    for (const server of listening) server.close();
    const timer = setTimeout(() => {
      for (const server of servers) server.closeAllConnections();
    }, this.#params.graceMs ?? 3000);
    try {
      await Promise.all(closed);
    } finally {
      clearTimeout(timer);
    }
  }

  #makePublic(): https.Server {
    const { app, certificate } = this.#params;
    const { key, certificate: cert } = certificate;
    const options = { key, cert, minVersion: 'TLSv1.2', maxHeaderSize: mostHeaderBytes } as const;
    return this.#prepare(
      forPublishers(https.createServer(options, (request, response) => app.routing(request, response))),
    );
  }

  #prepare<S extends http.Server | https.Server>(server: S): S {
    server.headersTimeout = 15_000;
    answerClientErrors(server, this.#params.app.log);
    return server;
  }

  #listen(server: https.Server, { host, port }: Address): Promise<void> {
    return listen(server, { host, port }, `${host}:${port}`);
  }

  /** Its port is free at once. */
  #leave(server: https.Server): void {
    this.#left.add(server);
    server.once('close', () => this.#left.delete(server));
    server.close();
  }

  async #return(): Promise<void> {
    const server = this.#makePublic();
    await this.#listen(server, this.#at);
    this.#public = server;
  }
}
