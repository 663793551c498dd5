/**
 * Moves a request's body into a recording session. The body is consumed from the first moment and never left waiting in a paused
 * request while its session is being opened: a request whose sender goes away is destroyed together with what waits in it.
 */
import { ReelError } from '../errors.ts';
import type { Publication } from '../recorder/publication.ts';
import type { SessionSummary } from '../recorder/session.ts';
import type { PublishedBody } from './published-body.ts';

export interface PumpParams {
  readonly body: PublishedBody;
  readonly stream: string;
  readonly openSession: () => Promise<Publication>;
  /** A publisher that sends nothing for this long is let go. */
  readonly idleMs: number;
}

/** Most bytes held while the session is being opened. */
const earlyBytes = 1024 * 1024;

export class Pump {
  readonly #params: PumpParams;
  #early: Buffer[] = [];
  #earlyLength = 0;
  #session: Publication | undefined;
  #flow: 'on' | 'held' = 'on';
  /** Looks of the idle timer since the last bytes. */
  #silent = 0;
  #resolve: (failure?: ReelError) => void = () => {};
  /** Resolves when nothing more will come; with an error where that is not the publisher's own end. */
  readonly #over: Promise<ReelError | undefined>;

  constructor(params: PumpParams) {
    this.#params = params;
    this.#over = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Runs to the end of the body. Resolves when everything that came in is durable; rejects with what ended the session. */
  async run(): Promise<SessionSummary> {
    // A publisher that is gone has ended like any other: what it brought is recorded.
    this.#params.body.listen({ onBytes: this.#onBytes, onEnd: () => this.#resolve() });
    const idle = this.#watchIdle();
    try {
      const session = await this.#params.openSession();
      this.#adopt(session);
      const failure = await this.#over;
      const summary = await session.finish();
      if (failure !== undefined) throw failure;
      return summary;
    } finally {
      clearInterval(idle);
      this.#params.body.listen({ onBytes: () => {}, onEnd: () => {} });
      this.#resume();
    }
  }

  readonly #onBytes = (bytes: Buffer): void => {
    this.#silent = 0;
    if (this.#session !== undefined) {
      if (!this.#session.append(bytes)) this.#pause();
      return;
    }
    this.#early.push(Buffer.from(bytes));
    this.#earlyLength += bytes.length;
    if (this.#earlyLength > earlyBytes) this.#pause();
  };

  #adopt(session: Publication): void {
    session.onDrain = () => this.#resume();
    session.onFailure = (error) => this.#resolve(error);
    this.#session = session;
    let goOn = true;
    for (const bytes of this.#early) goOn = session.append(bytes);
    this.#early = [];
    if (goOn) this.#resume();
    else this.#pause();
  }

  #pause(): void {
    this.#flow = 'held';
    this.#params.body.pause();
  }

  #resume(): void {
    if (this.#flow === 'on') return;
    this.#flow = 'on';
    this.#silent = 0;
    this.#params.body.resume();
  }

  /** One timer a session and one store a chunk; finds a stall within 1 to 1.25 of the limit. */
  #watchIdle(): NodeJS.Timeout {
    const { idleMs, stream } = this.#params;
    return setInterval(() => {
      this.#silent += 1;
      // While we hold the publisher back, its silence is ours.
      if (this.#flow === 'held' || this.#silent <= 4) return;
      this.#resolve(
        new ReelError('publisher-stalled', {
          expected: `bytes of ${stream} at least every ${idleMs} ms`,
          got: 'none',
          hint: 'what came in before is recorded',
          details: { stream, idleMs },
        }),
      );
    }, idleMs / 4);
  }
}
