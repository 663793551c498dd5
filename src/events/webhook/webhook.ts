/** Posts what happens to the receivers of the settings. */
import type { KeyObject } from 'node:crypto';
import { createSecureContext, getCACertificates, rootCertificates } from 'node:tls';
import type { Logger } from 'pino';
import { type WebhookAddress, webhookAddress } from '../../config/webhook-address.ts';
import type { EventBus } from '../bus.ts';
import { fits } from '../filter.ts';
import { WebhookEndpoint, type WebhookLimits } from './endpoint.ts';
import { agentFor } from './post.ts';
import { parseSecrets } from './signature.ts';

export interface WebhookParams {
  readonly urls: readonly string[];
  /** As `EventFilter.types`. */
  readonly types: readonly string[];
  /** The content of the secret's file; stays the caller's, who zeroes it. */
  readonly secrets: Buffer;
  /** Certificates in PEM that receivers are trusted by; null: those of the machine. */
  readonly ca: string | null;
  readonly userAgent: string;
  readonly bus: EventBus;
  readonly now: () => number;
  readonly log: Logger;
  readonly limits?: Partial<WebhookLimits>;
}

export interface TestedEndpoint {
  readonly endpoint: string;
  readonly delivered: boolean;
  readonly status: number | null;
  readonly problem: string | null;
  readonly ms: number;
}

/** What the events of these types tell is about the webhook itself: posted, each failure would make another one. */
const ownTypes = 'webhook.';

const defaults: WebhookLimits = {
  timeoutMs: 10_000,
  maxEvents: 1000,
  maxBytes: 4 * 1024 * 1024,
  firstMs: 1000,
  longestMs: 5 * 60_000,
  longestAskedMs: 15 * 60_000,
  mostFailures: 10,
};

/** How long a receiver that is no longer named may take what is queued for it. */
const leavingMs = 3000;

/** Reading them takes a third of a second: only where they are needed. */
const machineAuthorities = (addresses: readonly WebhookAddress[]): string[] =>
  addresses.some(({ url }) => url.protocol === 'https:') ? [...rootCertificates, ...getCACertificates('system')] : [];

/** Two receivers on one host are told apart by a number. */
const namesOf = (origins: readonly string[]): string[] =>
  origins.map((origin, index) => {
    const before = origins.slice(0, index).filter((other) => other === origin).length;
    return before === 0 ? origin : `${origin}#${before + 1}`;
  });

export class Webhook {
  readonly #params: WebhookParams;
  readonly #keys: readonly KeyObject[];
  #endpoints: ReadonlyMap<string, WebhookEndpoint> = new Map();
  #types: readonly string[] = [];
  /** Receivers that are no longer named post what they have. */
  readonly #leaving = new Set<Promise<void>>();
  #leave: () => void = () => undefined;

  /** Throws `config-invalid` for secrets that are none. */
  constructor(params: WebhookParams) {
    this.#params = params;
    this.#keys = parseSecrets(params.secrets);
    this.change(params);
  }

  /** Other receivers, or other types for them. One that stays keeps what is queued for it. Throws for a URL that is none, and nothing has changed. */
  change({ urls, types }: Pick<WebhookParams, 'urls' | 'types'>): void {
    const addresses = urls.map((url) => webhookAddress(url, 'REELVAULT_WEBHOOK_URLS'));
    const names = namesOf(addresses.map(({ origin }) => origin));
    const wanted = addresses.map((address, index) => ({
      key: `${names[index]} ${urls[index]}`,
      name: names[index] ?? address.origin,
      address,
    }));
    const fresh = wanted.filter(({ key }) => !this.#endpoints.has(key));
    const made = this.#make(fresh);
    const before = this.#endpoints;
    this.#types = types;
    this.#endpoints = new Map(
      wanted.map(({ key }) => [key, before.get(key) ?? made.get(key)] as [string, WebhookEndpoint]),
    );
    for (const [key, endpoint] of before) {
      if (!this.#endpoints.has(key)) this.#letGo(endpoint);
    }
  }

  /** From now on. */
  start(): void {
    this.#leave = this.#params.bus.subscribe({
      onEvent: (event) => {
        if (event.type.startsWith(ownTypes) || !fits(event, { types: this.#types })) return;
        for (const endpoint of this.#endpoints.values()) endpoint.offer(event);
      },
    });
  }

  status() {
    return [...this.#endpoints.values()].map((endpoint) => endpoint.status());
  }

  /** Posts an event `webhook.test` to each receiver, once and before what is queued for it. Whoever listens to events sees it, too. */
  test(): Promise<TestedEndpoint[]> {
    const event = this.#params.bus.publish({ type: `${ownTypes}test` });
    return Promise.all(
      [...this.#endpoints.values()].map(async (endpoint) => {
        const begun = performance.now();
        const { verdict, status, problem } = await endpoint.attempt({ event, missed: 0 });
        const ms = Math.round(performance.now() - begun);
        return { endpoint: endpoint.status().endpoint, delivered: verdict === 'taken', status, problem, ms };
      }),
    );
  }

  /** What is queued is posted as far as that goes within `graceMs`; the rest is lost, and counted in the log. Idempotent. */
  async close(graceMs = 3000): Promise<void> {
    this.#leave();
    await Promise.all([...this.#endpoints.values()].map((endpoint) => endpoint.close(graceMs)));
    await Promise.all(this.#leaving);
  }

  #letGo(endpoint: WebhookEndpoint): void {
    const left = endpoint.close(leavingMs).finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }

  #make(wanted: readonly { key: string; name: string; address: WebhookAddress }[]): Map<string, WebhookEndpoint> {
    if (wanted.length === 0) return new Map();
    const { bus, log, userAgent, now, ca, limits } = this.#params;
    const secureContext = createSecureContext({ ca: ca ?? machineAuthorities(wanted.map(({ address }) => address)) });
    return new Map(
      wanted.map(({ key, name, address }) => [
        key,
        new WebhookEndpoint({
          ...{ name, address, keys: this.#keys, userAgent, now, log },
          agent: agentFor(address, secureContext),
          limits: { ...defaults, ...limits },
          chance: Math.random,
          tell: (news) => bus.publish(news),
        }),
      ]),
    );
  }
}
