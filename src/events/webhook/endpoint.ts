/**
 * Gives events to one receiver, one after another in their order: the next one goes out when the one before was taken or given up.
 * Nobody waits for it: what comes meanwhile is queued within bounds.
 */
import type { KeyObject } from 'node:crypto';
import type http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { WebhookAddress } from '../../config/webhook-address.ts';
import type { News, ServiceEvent } from '../bus.ts';
import { EndpointTeller } from './endpoint-teller.ts';
import { type Answer, failureInWords, post } from './post.ts';
import { EventQueue, type QueueBounds, type WaitingEvent } from './queue.ts';
import { sign } from './signature.ts';
import { askedMs, type Backoff, pauseMs, type Verdict, verdictOf } from './verdict.ts';

export interface WebhookLimits extends QueueBounds, Backoff {
  /** For one request. */
  readonly timeoutMs: number;
  /** How often an event is posted that the receiver fails with. */
  readonly mostFailures: number;
}

export interface EndpointParams {
  /** For logs, events and metrics. */
  readonly name: string;
  readonly address: WebhookAddress;
  readonly agent: http.Agent;
  readonly keys: readonly KeyObject[];
  readonly userAgent: string;
  readonly limits: WebhookLimits;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly chance: () => number;
  readonly log: Logger;
  readonly tell: (news: News) => void;
}

export interface Attempt {
  readonly verdict: Verdict;
  readonly status: number | null;
  /** In words; null for an event that was taken. */
  readonly problem: string | null;
  readonly askedMs: number | undefined;
}

export class WebhookEndpoint {
  readonly #params: EndpointParams;
  readonly #queue: EventQueue;
  readonly #teller: EndpointTeller;
  /** Wakes a pause; after it each event has one more attempt. */
  readonly #closing = new AbortController();
  /** Cuts off what runs. */
  readonly #ended = new AbortController();
  #delivering: Promise<void> | undefined;

  constructor(params: EndpointParams) {
    this.#params = params;
    this.#queue = new EventQueue(params.limits);
    this.#teller = new EndpointTeller(params);
  }

  status() {
    return { ...this.#teller.status(), queued: this.#queue.size, queuedBytes: this.#queue.bytes };
  }

  /** Never throws and never waits. */
  offer(event: ServiceEvent): void {
    if (this.#closing.signal.aborted) return;
    const dropped = this.#queue.push(event);
    if (dropped > 0) this.#teller.dropped(dropped, 'overflow');
    this.#delivering ??= this.#deliverAll();
  }

  /** Posts it once, at once, beside what is queued. Never throws. */
  async attempt({ event, missed }: WaitingEvent): Promise<Attempt> {
    const { address, agent, keys, userAgent, limits, now } = this.#params;
    const body = JSON.stringify({ ...event, missed });
    const timestamp = Math.floor(now() / 1000);
    const headers = {
      'user-agent': userAgent,
      'webhook-id': event.id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': sign(keys, event.id, timestamp, body),
    };
    const { timeoutMs } = limits;
    try {
      return this.#judge(await post({ address, agent, headers, body, timeoutMs, signal: this.#ended.signal }));
    } catch (thrown) {
      return { verdict: 'away', status: null, problem: failureInWords(thrown, timeoutMs), askedMs: undefined };
    }
  }

  /** Goes on with what waits for at most so long, without pauses and up to the first failure. Idempotent. */
  async close(graceMs: number): Promise<void> {
    this.#closing.abort();
    const timer = setTimeout(() => this.#ended.abort(), graceMs);
    await this.#delivering;
    clearTimeout(timer);
    const left = this.#queue.clear();
    if (left > 0) this.#teller.dropped(left, 'closed');
    this.#params.agent.destroy();
  }

  async #deliverAll(): Promise<void> {
    // Not at once: whoever publishes has gone on by then.
    await Promise.resolve();
    for (let waiting = this.#queue.take(); waiting !== undefined; waiting = this.#queue.take()) {
      const delivered = await this.#deliver(waiting);
      if (delivered) continue;
      this.#queue.miss(waiting.missed + 1);
      if (this.#closing.signal.aborted) break;
    }
    // In the same turn as the last look at the queue: whoever comes later begins anew.
    this.#delivering = undefined;
  }

  /** False where the event was given up. */
  async #deliver(waiting: WaitingEvent): Promise<boolean> {
    const { limits, chance } = this.#params;
    for (let attempts = 1, failures = 0, last = false; !last; attempts += 1) {
      last = this.#closing.signal.aborted;
      const { verdict, problem, askedMs: asked } = await this.attempt(waiting);
      if (verdict === 'taken') {
        this.#teller.taken();
        return true;
      }
      this.#teller.failed(problem ?? verdict);
      if (verdict === 'failed') failures += 1;
      if (verdict === 'refused' || failures >= limits.mostFailures) {
        this.#teller.dropped(1, 'refused');
        return false;
      }
      await sleep(pauseMs(limits, attempts, chance(), asked), undefined, { signal: this.#closing.signal }).catch(
        () => undefined,
      );
    }
    this.#teller.dropped(1, 'closed');
    return false;
  }

  #judge({ status, retryAfter }: Answer): Attempt {
    const verdict = verdictOf(status);
    return {
      verdict,
      status,
      problem: verdict === 'taken' ? null : `status ${status}${status < 400 ? ', which is not followed' : ''}`,
      askedMs: askedMs(retryAfter, this.#params.now()),
    };
  }
}
