/** Publish tickets: one use, one stream, short life. A publisher's command line is public on its host, so no lasting secret goes there. */
import { createHash, randomBytes } from 'node:crypto';
import { ReelError } from '../errors.ts';

export interface Ticket {
  readonly ticket: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

export class TicketOffice {
  readonly #now: () => number;
  readonly #limit: number;
  /** By SHA-256 of the ticket: the look-up tells nothing about how much of a guess was right. */
  readonly #open = new Map<string, { readonly stream: string; readonly expiresAt: number }>();

  constructor(params: { readonly now: () => number; readonly limit?: number }) {
    this.#now = params.now;
    this.#limit = params.limit ?? 1000;
  }

  issue(stream: string, lifeMs: number): Ticket {
    const now = this.#now();
    for (const [key, entry] of this.#open) if (entry.expiresAt <= now) this.#open.delete(key);
    if (this.#open.size >= this.#limit) {
      throw new ReelError('too-many-tickets', {
        expected: `fewer than ${this.#limit} unused publish tickets`,
        got: `${this.#open.size}`,
        hint: 'wait until some have run out',
      });
    }
    const ticket = randomBytes(32).toString('base64url');
    const expiresAt = now + lifeMs;
    this.#open.set(digest(ticket), { stream, expiresAt });
    return { ticket, expiresAt };
  }

  /** Uses the ticket up. Throws `unauthorized` when it is unknown, used, run out, or for another stream (it is used up then as well). */
  redeem(ticket: string, stream: string): void {
    const key = digest(ticket);
    const entry = this.#open.get(key);
    this.#open.delete(key);
    if (entry !== undefined && entry.stream === stream && entry.expiresAt > this.#now()) return;
    throw new ReelError('unauthorized', {
      expected: `an unused publish ticket for the stream ${stream}`,
      got: 'one that is unknown, used or has run out',
      hint: 'ask for a new one: POST /api/v1/streams/<stream>/tickets',
    });
  }
}

const digest = (ticket: string): string => createHash('sha256').update(ticket).digest('base64');
