/**
 * Bodies of publishers' requests, read off the socket by native code: Node's HTTP parser makes an object of each piece and wakes up for each,
 * which was most of what a stream cost (docs/decisions/070-writer-and-ingest-benches.md).
 */
import { ReelError } from '../errors.ts';
import { addon as loaded } from './addon.ts';

export interface BodyListener {
  /** The first bytes of the connection, at most 16 KiB; none: it has ended. They are still in the socket. Told once. */
  onHead(bytes: Buffer): void;
  /** Of the body, without what frames it. The memory is used again as soon as this returns. */
  onBytes(bytes: Buffer): void;
  /** Told once: all of the body has come; its sender is gone before; what came is no body in chunks. */
  onEnd(how: 'over' | 'gone' | 'bad'): void;
}

interface RawReaders {
  readonly buffer: Buffer;
  open(fd: number): number;
  take(id: number, headBytes: number): void;
  hold(id: number): void;
  goOn(id: number): void;
  close(id: number): void;
}
const { BodyReaders: RawBodyReaders } = loaded as {
  readonly BodyReaders: new (onHappening: (id: number, happening: number, length: number) => void) => RawReaders;
};

const ends = { 2: 'over', 3: 'gone', 4: 'bad' } as const;

/** Any number of sockets; those that bring little at a time are read together, 25 times a second. */
export class BodyReaders {
  readonly #raw = new RawBodyReaders((id, happening, length) => this.#happened(id, happening, length));
  readonly #buffer = this.#raw.buffer;
  readonly #listeners = new Map<number, BodyListener>();

  /** Waits for the first bytes. The socket stays its owner's, who must not read it; `close` must follow. */
  open(fd: number, listener: BodyListener): BodyReader {
    if (!Number.isInteger(fd) || fd < 0)
      throw new ReelError('invalid-argument', { expected: 'a descriptor', got: String(fd) });
    const id = this.#raw.open(fd);
    this.#listeners.set(id, listener);
    return new BodyReader(this.#raw, id, () => this.#listeners.delete(id));
  }

  #happened(id: number, happening: number, length: number): void {
    const listener = this.#listeners.get(id);
    if (happening === 1) listener?.onBytes(this.#buffer.subarray(0, length));
    else if (happening === 0) listener?.onHead(this.#buffer.subarray(0, length));
    else listener?.onEnd(ends[happening as keyof typeof ends]);
  }
}

/** One socket of `BodyReaders`. */
export class BodyReader {
  readonly #raw: RawReaders;
  readonly #id: number;
  #onClose: (() => void) | undefined;

  constructor(raw: RawReaders, id: number, onClose: () => void) {
    this.#raw = raw;
    this.#id = id;
    this.#onClose = onClose;
  }

  /** Throws away as many of the bytes that `onHead` told as are the request's head. What follows is read from now on. */
  take(headBytes: number): void {
    if (this.#onClose !== undefined) this.#raw.take(this.#id, headBytes);
  }

  pause(): void {
    if (this.#onClose !== undefined) this.#raw.hold(this.#id);
  }

  resume(): void {
    if (this.#onClose !== undefined) this.#raw.goOn(this.#id);
  }

  /** Nothing is told any more. Idempotent. */
  close(): void {
    if (this.#onClose === undefined) return;
    this.#raw.close(this.#id);
    this.#onClose();
    this.#onClose = undefined;
  }
}
