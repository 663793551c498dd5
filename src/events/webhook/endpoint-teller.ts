/** How it goes with one receiver: counted, and told where it changes, so that one that is away fills neither log nor events. */
import type { Logger } from 'pino';
import type { News } from '../bus.ts';

/** `overflow`: made room for newer ones. `refused`: the receiver does not want it. `closed`: the service stopped first. */
export type DropReason = 'overflow' | 'refused' | 'closed';

export interface EndpointStatus {
  readonly endpoint: string;
  /** `new`: nothing was posted yet. */
  readonly state: 'new' | 'delivering' | 'failing';
  /** Why the last attempt failed; null while it delivers. */
  readonly problem: string | null;
  readonly delivered: number;
  /** ISO 8601; of the newest event that was taken. */
  readonly deliveredAt: string | null;
  readonly failedAttempts: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
}

export interface TellerParams {
  readonly name: string;
  readonly now: () => number;
  readonly log: Logger;
  readonly tell: (news: News) => void;
}

export class EndpointTeller {
  readonly #params: TellerParams;
  readonly #dropped = { overflow: 0, refused: 0, closed: 0 };
  #state: EndpointStatus['state'] = 'new';
  #problem: string | null = null;
  #delivered = 0;
  #deliveredAt: number | undefined;
  #failedAttempts = 0;
  /** Dropped since an event was taken, and how many of these make it told again. */
  #inARow = 0;
  #tellAt = 1;

  constructor(params: TellerParams) {
    this.#params = params;
  }

  status(): EndpointStatus {
    return {
      endpoint: this.#params.name,
      state: this.#state,
      problem: this.#problem,
      delivered: this.#delivered,
      deliveredAt: this.#deliveredAt === undefined ? null : new Date(this.#deliveredAt).toISOString(),
      failedAttempts: this.#failedAttempts,
      dropped: { ...this.#dropped },
    };
  }

  taken(): void {
    const failed = this.#state === 'failing';
    this.#delivered += 1;
    this.#deliveredAt = this.#params.now();
    this.#state = 'delivering';
    this.#problem = null;
    if (failed) this.#say('info', 'webhook.recovered', { dropped: this.#inARow });
    this.#inARow = 0;
    this.#tellAt = 1;
  }

  failed(problem: string): void {
    const before = this.#state;
    this.#failedAttempts += 1;
    this.#state = 'failing';
    this.#problem = problem;
    if (before !== 'failing') this.#say('warn', 'webhook.failing', { problem });
  }

  /** Told with the first one, and whenever it has become twice as many. */
  dropped(count: number, reason: DropReason): void {
    this.#dropped[reason] += count;
    this.#inARow += count;
    if (this.#inARow < this.#tellAt && reason !== 'closed') return;
    this.#tellAt = this.#inARow * 2;
    this.#say('warn', 'webhook.dropped', { reason, count: this.#inARow });
  }

  /** Not at once: an event that is told while another one is being told would reach some listeners before it. */
  #say(level: 'info' | 'warn', type: string, facts: Readonly<Record<string, unknown>>): void {
    const { name, log, tell } = this.#params;
    log[level]({ endpoint: name, ...facts }, type);
    queueMicrotask(() => tell({ type, facts: { endpoint: name, ...facts } }));
  }
}
