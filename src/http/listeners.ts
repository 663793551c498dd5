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

export interface ListenersParams {
  readonly app: FastifyInstance;
  readonly certificate: KeyPair;
  readonly host: string;
  readonly port: number;
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
      ...(code === 'EADDRINUSE' ? { hint: 'another program listens there; choose another port with --listen' } : {}),
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
  readonly #public: https.Server;
  readonly #admin: http.Server;
  #closing: Promise<void> | undefined;

  constructor(params: ListenersParams) {
    this.#params = params;
    const { app, local, certificate } = params;
    const { key, certificate: cert } = certificate;
    this.#public = forPublishers(
      https.createServer({ key, cert, minVersion: 'TLSv1.2', maxHeaderSize: mostHeaderBytes }, (request, response) =>
        app.routing(request, response),
      ),
    );
    this.#admin = forPublishers(
      http.createServer({ maxHeaderSize: mostHeaderBytes }, (request, response) => {
        local.add(request);
        app.routing(request, response);
      }),
    );
  }

  async start(): Promise<void> {
    const { app, host, port, adminSocket } = this.#params;
    for (const server of [this.#public, this.#admin]) {
      server.headersTimeout = 15_000;
      answerClientErrors(server, app.log);
    }
    await removeStale(adminSocket);
    // Nobody may connect between bind and chmod.
    const umask = process.umask(0o177);
    try {
      await listen(this.#admin, { path: adminSocket }, adminSocket);
    } finally {
      process.umask(umask);
    }
    await chmod(adminSocket, 0o600);
    await listen(this.#public, { host, port }, `${host}:${port}`);
  }

  /** Port of the HTTPS listener. */
  get port(): number {
    return (this.#public.address() as AddressInfo).port;
  }

  /** New connections are refused at once; running answers get `graceMs` to end, publishers included. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const servers = [this.#public, this.#admin].filter((server) => server.listening);
    const closed = servers.map((server) => once(server, 'close'));
    for (const server of servers) server.close();
    const timer = setTimeout(() => {
      for (const server of servers) server.closeAllConnections();
    }, this.#params.graceMs ?? 3000);
    try {
      await Promise.all(closed);
    } finally {
      clearTimeout(timer);
    }
  }
}
