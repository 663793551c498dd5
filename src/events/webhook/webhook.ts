/** Posts what happens to the receivers of the settings. */
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
  readonly #endpoints: readonly WebhookEndpoint[];
  #leave: () => void = () => undefined;

  /** Throws `config-invalid` for secrets that are none. */
  constructor(params: WebhookParams) {
    this.#params = params;
    const { urls, secrets, bus, log, userAgent, now } = params;
    const keys = parseSecrets(secrets);
    const addresses = urls.map((url) => webhookAddress(url, 'REELVAULT_WEBHOOK_URLS'));
    const secureContext = createSecureContext({ ca: params.ca ?? machineAuthorities(addresses) });
    const names = namesOf(addresses.map(({ origin }) => origin));
    this.#endpoints = addresses.map(
      (address, index) =>
        new WebhookEndpoint({
          name: names[index] ?? address.origin,
          ...{ address, keys, userAgent, now, log },
          agent: agentFor(address, secureContext),
          limits: { ...defaults, ...params.limits },
          chance: Math.random,
          tell: (news) => bus.publish(news),
        }),
    );
  }

  /** From now on. */
  start(): void {
    const { types, bus } = this.#params;
    this.#leave = bus.subscribe({
      onEvent: (event) => {
        if (event.type.startsWith(ownTypes) || !fits(event, { types })) return;
        for (const endpoint of this.#endpoints) endpoint.offer(event);
      },
    });
  }

  status() {
    return this.#endpoints.map((endpoint) => endpoint.status());
  }

  /** Posts an event `webhook.test` to each receiver, once and before what is queued for it. Whoever listens to events sees it, too. */
  test(): Promise<TestedEndpoint[]> {
    const event = this.#params.bus.publish({ type: `${ownTypes}test` });
    return Promise.all(
      this.#endpoints.map(async (endpoint) => {
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
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.close(graceMs)));
  }
}
