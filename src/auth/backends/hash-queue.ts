/**
 * Works out hashes one after another, so that many guesses at once take no memory and no threads from the recorder, and remembers its answers
 * for a while: a player asks for a segment every few seconds, each time with its password. Right and wrong ones are remembered alike.
 */
import { createHmac, randomBytes } from 'node:crypto';

export interface HashQueueParams {
  readonly now: () => number;
  readonly keepMs?: number;
  readonly entries?: number;
}

export class HashQueue {
  readonly #params: Required<HashQueueParams>;
  /** Ties what is remembered to this process. */
  readonly #key = randomBytes(32);
  readonly #known = new Map<string, { readonly answer: Promise<boolean>; readonly until: number }>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(params: HashQueueParams) {
    this.#params = { keepMs: 5 * 60_000, entries: 10_000, ...params };
  }

  /** `scope` sets apart what is asked of different records. The work is done with a copy of the password, which is zeroed after it. */
  check(scope: string, password: Buffer, work: (password: Buffer) => Promise<boolean>): Promise<boolean> {
    const key = createHmac('sha256', this.#key).update(`${scope.length}:${scope}`).update(password).digest('base64');
    const now = this.#params.now();
    const known = this.#known.get(key);
    if (known !== undefined && known.until > now) return known.answer;
    const copy = Buffer.from(password);
    const answer = this.#last.then(() => work(copy)).finally(() => copy.fill(0));
    this.#last = answer.catch(() => undefined);
    this.#remember(key, { answer, until: now + this.#params.keepMs });
    // What could not be worked out is asked again.
    answer.catch(() => this.#known.delete(key));
    return answer;
  }

  #remember(key: string, entry: { readonly answer: Promise<boolean>; readonly until: number }): void {
    this.#known.delete(key);
    this.#known.set(key, entry);
    if (this.#known.size <= this.#params.entries) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      break;
    }
  }
}
