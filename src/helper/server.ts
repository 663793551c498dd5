import { closeSync } from 'node:fs';
import { chmod, chown, rm } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { causeInWords, ReelError, toReelError } from '../errors.ts';
import { descriptorOf } from '../exec/raw-socket.ts';
import { peerCredentials, sendWithFd } from '../native.ts';
import type { VolumeContext } from '../volume/context.ts';
import { encodeAnswer, RequestDecoder } from './framing.ts';
import type { Caller, Outcome } from './verbs/handler.ts';
import { parseRequest, Verbs } from './verbs.ts';

export interface HelperServerParams {
  readonly socketPath: string;
  readonly context: VolumeContext;
  readonly log: Logger;
  /** Milliseconds in which a peer must have sent its whole request. */
  readonly frameTimeoutMs?: number;
}

/** Callers wait for each other anyway; more connections than this are somebody's mistake. */
const maxConnections = 64;
const defaultFrameTimeoutMs = 10_000;

/**
 * The privileged end of the protocol. Whatever a peer sends, the answer is a frame or a closed connection. A verb that has begun runs to
 * its end, also when its caller is gone: half a create is worse than one that nobody waits for.
 */
export class HelperServer {
  readonly #params: HelperServerParams;
  readonly #verbs: Verbs;
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  readonly #reading = new Set<Socket>();
  readonly #running = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  constructor(params: HelperServerParams) {
    this.#params = params;
    this.#verbs = new Verbs(params.context);
    // A caller may close its sending side after the request; the answer still has to go out.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = maxConnections;
  }

  /** Throws `already-exists` when another helper serves this socket. */
  async start(): Promise<void> {
    const { socketPath, context } = this.#params;
    if (await answers(socketPath)) {
      throw new ReelError('already-exists', { expected: `no other helper at ${socketPath}`, got: 'one that answers' });
    }
    await rm(socketPath, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(socketPath, resolve);
    });
    await chown(socketPath, 0, context.service.gid);
    await chmod(socketPath, 0o660);
  }

  /** Takes no more requests and waits for those that run. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#reading) socket.destroy();
    await Promise.allSettled(this.#running);
    // What was answered is in the peers' hands; those that do not hang up are not waited for.
    for (const socket of this.#open) socket.destroy();
    await closed;
    await this.#params.context.watch.planes.close();
    await this.#params.context.layout.close();
  }

  #accept(socket: Socket): void {
    const { log, frameTimeoutMs = defaultFrameTimeoutMs } = this.#params;
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    socket.on('error', (error) => log.debug({ reason: error.message }, 'a caller went away, ignoring'));
    let caller: Caller;
    try {
      caller = this.#authorise(socket);
    } catch (error) {
      this.#refuse(socket, error, {});
      return;
    }
    const decoder = new RequestDecoder();
    const timer = setTimeout(() => socket.destroy(), frameTimeoutMs);
    const finish = (): void => {
      clearTimeout(timer);
      this.#reading.delete(socket);
      socket.off('data', onData);
    };
    const onData = (piece: Buffer): void => {
      try {
        if (!decoder.push(piece)) return;
      } catch (error) {
        finish();
        decoder.zero();
        this.#refuse(socket, error, {});
        return;
      }
      finish();
      const work = this.#serve(socket, decoder, caller).finally(() => this.#running.delete(work));
      this.#running.add(work);
    };
    this.#reading.add(socket);
    socket.on('data', onData);
    // Only of a request that never became whole: a verb that runs still needs its secret, and zeroes it itself.
    socket.once('close', () => {
      if (!this.#reading.has(socket)) return;
      finish();
      decoder.zero();
    });
    // The whole request, or none: a peer that stops sending early has nothing to be told.
    socket.once('end', () => {
      if (this.#reading.has(socket)) socket.destroy();
    });
  }

  /** Throws `forbidden` for anybody but root and the service's user. */
  #authorise(socket: Socket): Caller {
    const { uid, pid } = peerCredentials(descriptorOf(socket));
    if (uid === 0 || uid === this.#params.context.service.uid) return { pid };
    throw new ReelError('forbidden', {
      expected: 'a call of the service or of root',
      got: `process ${pid} of user ${uid}`,
    });
  }

  async #serve(socket: Socket, decoder: RequestDecoder, caller: Caller): Promise<void> {
    let outcome: Outcome | undefined;
    let about = {};
    try {
      const { json, secrets } = decoder.take();
      const request = parseRequest(json);
      about = { verb: request.verb, ...('name' in request ? { volume: request.name } : {}) };
      if (request.verb !== 'inspect' && request.verb !== 'watch') this.#params.log.info(about, 'request');
      outcome = await this.#verbs.run(request, secrets, caller);
      this.#answer(socket, { ok: true, result: outcome.result }, outcome.fd);
    } catch (thrown) {
      this.#refuse(socket, thrown, about);
    } finally {
      decoder.zero();
      if (outcome !== undefined && outcome.fd >= 0) closeSync(outcome.fd);
    }
  }

  /** Tells caller and log. A stack is for defects only: what was foreseen is told in words, and so is what led to it. */
  #refuse(socket: Socket, thrown: unknown, about: object): void {
    const error = toReelError(thrown);
    const cause = causeInWords(error);
    const because = cause === undefined ? {} : { cause };
    const { log } = this.#params;
    if (error.code === 'internal') log.error({ ...about, err: thrown }, 'request failed');
    else log.warn({ ...about, code: error.code, reason: error.message, ...because }, 'request refused or failed');
    this.#answer(socket, { ok: false, error: { ...error.toJSON(), ...because } }, -1);
  }

  /** In one call below Node's own queue, because the descriptor travels with the first byte. */
  #answer(socket: Socket, json: unknown, fd: number): void {
    if (socket.destroyed) return;
    try {
      sendWithFd(descriptorOf(socket), encodeAnswer(json), fd);
    } catch (error) {
      this.#params.log.debug({ reason: toReelError(error).message }, 'a caller did not wait for its answer, ignoring');
    }
    // To close with bytes unread would reset the connection, and the peer would see that in place of its answer.
    socket.resume();
    socket.end();
    const patience = setTimeout(() => socket.destroy(), this.#params.frameTimeoutMs ?? defaultFrameTimeoutMs);
    socket.once('close', () => clearTimeout(patience));
  }
}

/** Whether somebody accepts connections at `socketPath`; a socket file that a dead process left refuses them. */
const answers = (socketPath: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createConnection(socketPath);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
