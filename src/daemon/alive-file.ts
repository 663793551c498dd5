/** Until when the service ran: the time of a file in the state directory, which a start compares with now. Known to ten seconds where it was killed. */
import { open, stat } from 'node:fs/promises';

const everyMs = 10_000;

export class AliveFile {
  readonly #path: string;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;

  /** `now`: Unix milliseconds. */
  constructor(params: { readonly path: string; readonly now: () => number }) {
    this.#path = params.path;
    this.#now = params.now;
  }

  /** When the service ran last, in Unix milliseconds; undefined at the first start. Throws nothing: what cannot be known is not. */
  async start(): Promise<number | undefined> {
    const former = await stat(this.#path).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
    await this.#touch();
    this.#timer = setInterval(() => void this.#touch(), everyMs).unref();
    return former;
  }

  /** The service ends in order. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#touch();
  }

  /** A state directory that takes no writes ends no recording; the next start knows less. */
  async #touch(): Promise<void> {
    try {
      await using file = await open(this.#path, 'a', 0o600);
      const at = this.#now() / 1000;
      await file.utimes(at, at);
    } catch {
      // see above
    }
  }
}
