/** What a publisher sends, whoever reads it off the connection. */
import type { IncomingMessage } from 'node:http';
import { releaseMemory } from '../native/release-memory.ts';

export interface BodyEars {
  /** The bytes are good until it returns. */
  readonly onBytes: (bytes: Buffer) => void;
  /** Called once: nothing more will come. */
  readonly onEnd: () => void;
}

export interface PublishedBody {
  /** Whether nothing more will come. */
  readonly ended: boolean;
  /** From now on all is told to these, and to nobody else. Where it has ended, they are told so at once. */
  listen(ears: BodyEars): void;
  pause(): void;
  resume(): void;
}

/** A body as Node's HTTP parser hands it out. */
export class ParsedBody implements PublishedBody {
  readonly #request: IncomingMessage;
  #ears: BodyEars | undefined;

  constructor(request: IncomingMessage) {
    this.#request = request;
    // An aborted request reports an error and then closes; what it brought is good.
    for (const end of ['end', 'close', 'error']) request.on(end, () => this.#end());
  }

  get ended(): boolean {
    return this.#request.readableEnded || this.#request.destroyed;
  }

  listen(ears: BodyEars): void {
    const first = this.#ears === undefined;
    this.#ears = ears;
    if (this.ended) this.#end();
    else if (first)
      this.#request.on('data', (bytes: Buffer) => {
        this.#ears?.onBytes(bytes);
        releaseMemory(bytes);
      });
  }

  pause(): void {
    this.#request.pause();
  }

  resume(): void {
    this.#request.resume();
  }

  #end(): void {
    const ears = this.#ears;
    this.#ears = undefined;
    ears?.onEnd();
  }
}
