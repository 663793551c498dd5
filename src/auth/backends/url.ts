/**
 * Asks a server of the admin's whether a client may come, as Icecast does. A player asks for segments all the time, so an answer holds for a
 * while for the same client: same credentials, address, stream and query, program, and sent headers. One question about it is under way at most.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { UrlOptions } from '../../config/sections/backend-options.ts';
import type { RuleRequest } from '../rules/request.ts';
import { type Answer, type Backend, failure, match, noMatch, type RemovableClient, unasked } from './backend.ts';
import { addMessage, type ClientFacts, factsOf, readReply, removeMessage } from './url-message.ts';
import { postTo } from './url-server.ts';

export interface UrlParams {
  readonly options: UrlOptions;
  readonly now: () => number;
  readonly log: { warn(facts: object, message: string): void };
  /** Clients that are remembered; the one that was not seen for longest is forgotten. */
  readonly clients?: number;
}

/** A client as the server knows it: one number from its first question until it has gone. */
class UrlClient implements RemovableClient {
  readonly facts: ClientFacts;
  readonly #backend: UrlBackend;
  readonly #key: string;
  answer: Promise<Answer> | undefined;
  goodUntil = 0;
  /** Somebody was let in and will be told about when gone. */
  letIn: boolean = false;

  constructor(facts: ClientFacts, key: string, backend: UrlBackend) {
    this.facts = facts;
    this.#key = key;
    this.#backend = backend;
  }

  removed(seconds: number): void {
    if (!this.letIn) return;
    this.letIn = false;
    this.#backend.forget(this.#key, this, seconds);
  }
}

let lastId = 0;

export class UrlBackend implements Backend {
  readonly asksCredentials = true;
  readonly hashes = false;
  readonly #params: UrlParams;
  readonly #key = randomBytes(32);
  readonly #clients = new Map<string, UrlClient>();
  readonly #closing = new AbortController();

  constructor(params: UrlParams) {
    this.#params = params;
  }

  async ask(request: RuleRequest): Promise<Answer> {
    const { options, now } = this.#params;
    if (options.client_add === undefined) return match('no client_add is set, so everybody matches');
    const client = this.#clientOf(request);
    if (client.answer === undefined || client.goodUntil <= now()) {
      // Until the answer is there others wait for it; how long it holds is known then.
      client.goodUntil = Number.POSITIVE_INFINITY;
      client.answer = this.#question(client, options.client_add);
    }
    return client.answer;
  }

  async assume(_request: RuleRequest, user: string | undefined): Promise<Answer> {
    const { client_add } = this.#params.options;
    if (client_add === undefined) return match('no client_add is set, so everybody matches');
    const who = user === undefined ? 'without credentials' : `as ${user}`;
    return match(`the server would be asked ${who}; here it is taken to answer ok`, user === undefined ? {} : { user });
  }

  close(): void {
    this.#closing.abort();
    for (const { facts } of this.#clients.values()) facts.password.fill(0);
    this.#clients.clear();
  }

  /** Tells the server that the client has gone. What it answers changes nothing. */
  forget(key: string, client: UrlClient, seconds: number): void {
    if (this.#clients.get(key) === client) this.#clients.delete(key);
    const { options, log } = this.#params;
    const { facts } = client;
    if (options.client_remove === undefined || this.#closing.signal.aborted) {
      facts.password.fill(0);
      return;
    }
    const body = removeMessage(facts, options.action_remove ?? 'listener_remove', Math.round(seconds));
    postTo(options.client_remove, body, options, facts, this.#closing.signal)
      .then((posted) => {
        facts.password.fill(0);
        if ('problem' in posted) log.warn({ client: facts.id, problem: posted.problem }, 'client_remove was not taken');
      })
      .catch((err: unknown) => log.warn({ err }, 'client_remove was not sent'));
  }

  async #question(client: UrlClient, address: string): Promise<Answer> {
    const { options, now, log } = this.#params;
    const body = addMessage(client.facts, options.action_add ?? 'listener_add');
    const posted = await postTo(address, body, options, client.facts, this.#closing.signal);
    if ('problem' in posted) {
      log.warn({ problem: posted.problem }, 'the server of a url role gives no usable answer');
      client.goodUntil = 0;
      return unasked(options.on_error ?? 'deny', `the server gives no usable answer (${posted.problem})`);
    }
    client.goodUntil = now() + (options.cache_seconds ?? 60) * 1000;
    const { result, seconds, message } = readReply(posted.headers, options);
    const words = message === undefined ? '' : `: ${JSON.stringify(message)}`;
    if (result === 'nomatch') return noMatch(`the server answers no match${words}`);
    if (result === 'fail') return failure(`the server does not let the client in${words}`);
    const { user } = client.facts;
    client.letIn = true;
    return match('the server lets the client in', {
      client,
      ...(user === '' ? {} : { user }),
      ...(seconds === undefined ? {} : { seconds }),
    });
  }

  #clientOf(request: RuleRequest): UrlClient {
    const { options, clients = 10_000 } = this.#params;
    const facts = factsOf(request, lastId + 1, options);
    const { password, id: _, ...rest } = facts;
    const digest = createHmac('sha256', this.#key).update(JSON.stringify(rest)).update('\0').update(password);
    const key = digest.digest('base64');
    const known = this.#clients.get(key);
    if (known !== undefined) password.fill(0);
    else lastId += 1;
    const client = known ?? new UrlClient(facts, key, this);
    this.#clients.delete(key);
    this.#clients.set(key, client);
    if (this.#clients.size > clients) this.#dropOldest();
    return client;
  }

  /** The password of one that was let in is needed once more, when it has gone. */
  #dropOldest(): void {
    for (const [key, { facts, letIn }] of this.#clients) {
      this.#clients.delete(key);
      if (!letIn) facts.password.fill(0);
      return;
    }
  }
}
