/**
 * Who is there. A player over HTTP asks for one small thing after another, so a connection in the sense of the rules is: requests of the same user, from the
 * same address with the same program, on the same stream, never further apart than `idleMs`.
 */
import { createHash } from 'node:crypto';
import type { RemovableClient } from '../backends/backend.ts';

export interface SessionFacts {
  readonly kind: 'play' | 'publish' | 'api';
  /** Of the role that let it in. */
  readonly rule: string;
  readonly user: string | undefined;
  readonly stream: string | undefined;
  readonly address: string;
  readonly agent: string;
}

export interface SessionLimits {
  readonly connectionsPerUser: number | undefined;
  /** From the beginning on. */
  readonly seconds: number | undefined;
  /** From now on, as what was shown with this request says. */
  readonly remainingMs: number | undefined;
}

export interface SessionsParams {
  /** Milliseconds that only go forward. */
  readonly elapsed: () => number;
  readonly idleMs?: number;
  /** More at once are refused: strangers who call themselves by ever new names must not fill the memory. */
  readonly most?: number;
}

interface Session {
  readonly facts: SessionFacts;
  readonly startedAt: number;
  /** Where its time is limited. */
  endsAt: number;
  lastAt: number;
  open: number;
  readonly clients: Set<RemovableClient>;
}

/** `leave` when the request is over; idempotent. `remainingMs` until it has to be cut off. */
export interface Entered {
  readonly remainingMs: number;
  leave(): void;
}

export type Refused = 'too many connections' | 'time is over' | 'full';

export class Sessions {
  readonly #params: Required<SessionsParams>;
  readonly #sessions = new Map<string, Session>();
  readonly #timer: NodeJS.Timeout;

  constructor(params: SessionsParams) {
    this.#params = { idleMs: 30_000, most: 50_000, ...params };
    this.#timer = setInterval(() => this.sweep(), Math.max(100, this.#params.idleMs / 6)).unref();
  }

  enter(facts: SessionFacts, limits: SessionLimits, client?: RemovableClient): Entered | Refused {
    const now = this.#params.elapsed();
    const { kind, rule, user = null, stream = null, address, agent } = facts;
    const key = createHash('sha256')
      .update(JSON.stringify([kind, rule, user, stream, address, agent]))
      .digest('base64');
    this.#endIfIdle(key, now);
    const limited = facts.kind === 'play';
    const most = limited ? limits.connectionsPerUser : undefined;
    const known = this.#sessions.get(key);
    if (known === undefined && most !== undefined && this.#count(facts, now) >= most) return 'too many connections';
    if (known === undefined && this.#sessions.size >= this.#params.most) return 'full';
    const session = known ?? this.#begin(key, facts, now);
    if (limited && limits.seconds !== undefined)
      session.endsAt = Math.min(session.endsAt, session.startedAt + limits.seconds * 1000);
    session.lastAt = now;
    const shown = limited ? (limits.remainingMs ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
    const endsAt = Math.min(session.endsAt, now + shown);
    if (endsAt <= now) return 'time is over';
    if (client !== undefined) session.clients.add(client);
    session.open += 1;
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      session.open -= 1;
      session.lastAt = this.#params.elapsed();
    };
    return { remainingMs: endsAt - now, leave };
  }

  /** Ends those that nobody has used for a while. */
  sweep(): void {
    const now = this.#params.elapsed();
    for (const key of [...this.#sessions.keys()]) this.#endIfIdle(key, now);
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Idempotent. Nobody is told any more. */
  close(): void {
    clearInterval(this.#timer);
    this.#sessions.clear();
  }

  /** Others of the same user on the same stream. Whoever is nobody in particular is not counted. */
  #count({ user, stream, kind }: SessionFacts, now: number): number {
    if (user === undefined) return 0;
    let count = 0;
    for (const [key, { facts }] of this.#sessions) {
      if (facts.user !== user || facts.stream !== stream || facts.kind !== kind) continue;
      this.#endIfIdle(key, now);
      if (this.#sessions.has(key)) count += 1;
    }
    return count;
  }

  #begin(key: string, facts: SessionFacts, now: number): Session {
    const endsAt = Number.POSITIVE_INFINITY;
    const session: Session = { facts, startedAt: now, endsAt, lastAt: now, open: 0, clients: new Set() };
    this.#sessions.set(key, session);
    return session;
  }

  #endIfIdle(key: string, now: number): void {
    const session = this.#sessions.get(key);
    if (session === undefined || session.open > 0 || now - session.lastAt < this.#params.idleMs) return;
    this.#sessions.delete(key);
    for (const client of session.clients) client.removed((session.lastAt - session.startedAt) / 1000);
  }
}
