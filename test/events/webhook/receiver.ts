/** A receiver of a webhook as docs/events.md describes one: it believes only what is signed, and answers as the test wants. */
import assert from 'node:assert/strict';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Posted {
  readonly id: string;
  readonly type: string;
  readonly volume: string | null;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly missed: number;
}

export type Answering = (
  posted: Posted,
  response: http.ServerResponse,
  request: http.IncomingMessage,
) => number | undefined;

/** Throws where the signature is not one of `secret`, or too old. */
const believe = ({ headers }: http.IncomingMessage, body: string, secret: Buffer | string): Posted => {
  const id = String(headers['webhook-id']);
  const timestamp = String(headers['webhook-timestamp']);
  assert.ok(Math.abs(Date.now() / 1000 - Number(timestamp)) < 300, `an old timestamp: ${timestamp}`);
  const right = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest();
  const isRight = (signature: string): boolean => {
    const [version, bytes = ''] = signature.split(',');
    const given = Buffer.from(bytes, 'base64');
    return version === 'v1' && given.length === right.length && timingSafeEqual(given, right);
  };
  assert.ok(String(headers['webhook-signature']).split(' ').some(isRight), 'no signature is right');
  const event = JSON.parse(body) as Posted;
  assert.equal(event.id, id);
  assert.equal(headers['content-type'], 'application/json');
  return event;
};

export class Receiver {
  /** Everything that came, in order, also what was answered with an error. */
  readonly posted: Posted[] = [];
  readonly requests: http.IncomingMessage[] = [];
  /** What was wrong with requests. */
  readonly problems: string[] = [];
  answer: Answering = () => 204;
  readonly #secret: Buffer | string;
  readonly #tls: https.ServerOptions | undefined;
  #server: http.Server | undefined;
  #port = 0;
  #waiting: (() => void)[] = [];

  constructor(secret: Buffer | string, tls?: https.ServerOptions) {
    this.#secret = secret;
    this.#tls = tls;
  }

  /** Listens, on the same port as before. */
  async start(): Promise<this> {
    const handler: http.RequestListener = (request, response) => {
      void this.#handle(request, response);
    };
    this.#server = this.#tls === undefined ? http.createServer(handler) : https.createServer(this.#tls, handler);
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  get url(): string {
    return `${this.#tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }

  /** Resolves once this holds of what came, and throws when it never does. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve, reject) => {
        const why = (): string => `nothing more came, and still not ${holds}; ${JSON.stringify(this.posted.slice(-5))}`;
        const timer = setTimeout(() => reject(new Error(why())), 60_000);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    assert.deepEqual(this.problems, []);
  }

  get types(): string[] {
    return this.posted.map(({ type }) => type);
  }

  async #handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    try {
      const posted = believe(request, await text(request), this.#secret);
      this.posted.push(posted);
      this.requests.push(request);
      const status = this.answer(posted, response, request);
      if (status !== undefined) response.writeHead(status).end();
    } catch (error) {
      this.problems.push(String(error));
      response.writeHead(400).end();
    }
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
