/** What is known of streams from this start of the service on, besides their settings: how publishing went, and when it ended. */
import type { ReelError } from '../errors.ts';
import type { SessionStatus } from './session.ts';

export class StreamHistory {
  readonly #elapsed: () => number;
  readonly #startedAt: number;
  /** When the last recording of a stream had ended, by `elapsed`. */
  readonly #leftAt = new Map<string, number>();
  readonly #sessions = new Map<string, SessionStatus>();
  readonly #failures = new Map<string, ReelError>();

  /** `elapsed`: milliseconds from any start, by a clock that is never set. */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
    this.#startedAt = elapsed();
  }

  began(stream: string): void {
    this.#failures.delete(stream);
  }

  failed(stream: string, failure: ReelError): void {
    this.#failures.set(stream, failure);
  }

  /** Nothing is recorded of the stream any more, for now. */
  left(stream: string): void {
    this.#leftAt.set(stream, this.#elapsed());
  }

  ended(stream: string, session: SessionStatus, failure: ReelError | undefined): void {
    this.#sessions.set(stream, session);
    if (failure !== undefined) this.failed(stream, failure);
  }

  forget(stream: string): void {
    this.#leftAt.delete(stream);
    this.#sessions.delete(stream);
    this.#failures.delete(stream);
  }

  /** The last session that ended. */
  session(stream: string): SessionStatus | null {
    return this.#sessions.get(stream) ?? null;
  }

  /** Why the last attempt to publish was refused or ended, where it failed. */
  failure(stream: string): ReelError | null {
    return this.#failures.get(stream) ?? null;
  }

  /** Milliseconds since the last recording had ended, or since the start where none has been. */
  idleMs(stream: string): number {
    return this.#elapsed() - (this.#leftAt.get(stream) ?? this.#startedAt);
  }
}
