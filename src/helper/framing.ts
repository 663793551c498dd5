import { ReelError } from '../errors.ts';

/** Longest JSON of a request or an answer, in bytes: a list of a hundred holders fits many times over. */
export const maxJson = 256 * 1024;
/** All secrets of a request: cryptsetup takes 512 characters by hand and no sane key file is larger than this. */
export const maxSecrets = 64 * 1024;

const wrong = (expected: string, got: string): ReelError => new ReelError('helper-protocol', { expected, got });

/** `u32le jsonLength, json, u32le secretsLength, secrets`, each secret `u32le length, bytes`. The caller zeroes secrets and frame. */
export const encodeRequest = (json: unknown, secrets: readonly Uint8Array[] = []): Buffer => {
  const body = Buffer.from(JSON.stringify(json));
  const secretsLength = secrets.reduce((sum, secret) => sum + 4 + secret.length, 0);
  const frame = Buffer.alloc(8 + body.length + secretsLength);
  frame.writeUInt32LE(body.length, 0);
  body.copy(frame, 4);
  let offset = frame.writeUInt32LE(secretsLength, 4 + body.length);
  for (const secret of secrets) {
    offset = frame.writeUInt32LE(secret.length, offset);
    frame.set(secret, offset);
    offset += secret.length;
  }
  return frame;
};

/** `u32le jsonLength, json`. */
export const encodeAnswer = (json: unknown): Buffer => {
  const body = Buffer.from(JSON.stringify(json));
  const frame = Buffer.alloc(4 + body.length);
  frame.writeUInt32LE(body.length, 0);
  body.copy(frame, 4);
  return frame;
};

const parseJson = (bytes: Buffer): unknown => {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // the parser's message would quote the input
    throw wrong('JSON in UTF-8', `${bytes.length} bytes that are not`);
  }
};

/** Throws `helper-protocol` for anything but one whole frame. */
export const decodeAnswer = (frame: Buffer): unknown => {
  if (frame.length < 4) throw wrong('an answer of the helper', `${frame.length} bytes; it ended during the call`);
  const length = frame.readUInt32LE(0);
  if (length !== frame.length - 4) throw wrong(`an answer of ${length} bytes`, `${frame.length - 4}`);
  return parseJson(frame.subarray(4));
};

const splitSecrets = (bytes: Buffer): Buffer[] => {
  const secrets: Buffer[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    const length = rest.length < 4 ? Number.POSITIVE_INFINITY : rest.readUInt32LE(0);
    if (length > rest.length - 4) throw wrong('whole secrets, each after its length', 'part of one');
    secrets.push(rest.subarray(4, 4 + length));
    rest = rest.subarray(4 + length);
  }
  return secrets;
};

/**
 * Collects one request frame from pieces. Takes the pieces over: each is zeroed once copied, so that `zero()` leaves no copy of a
 * secret behind. `push` throws `helper-protocol` as soon as a length is out of bounds or more than one frame comes.
 */
export class RequestDecoder {
  #bytes = Buffer.alloc(4096);
  #size = 0;

  /** True when the frame is whole. */
  push(piece: Buffer): boolean {
    this.#append(piece);
    const jsonLength = this.#lengthAt(0);
    if (jsonLength === undefined) return false;
    if (jsonLength > maxJson) throw wrong(`at most ${maxJson} bytes of JSON`, `${jsonLength}`);
    const secretLength = this.#lengthAt(4 + jsonLength);
    if (secretLength === undefined) return false;
    if (secretLength > maxSecrets) throw wrong(`a secret of at most ${maxSecrets} bytes`, `${secretLength}`);
    const whole = 8 + jsonLength + secretLength;
    if (this.#size > whole) throw wrong(`one request of ${whole} bytes`, 'more bytes behind it');
    return this.#size === whole;
  }

  /** The request, once `push` said it is whole; the secrets are views that `zero()` clears. */
  take(): { json: unknown; secrets: Buffer[] } {
    const jsonLength = this.#bytes.readUInt32LE(0);
    return {
      json: parseJson(this.#bytes.subarray(4, 4 + jsonLength)),
      secrets: splitSecrets(this.#bytes.subarray(8 + jsonLength, this.#size)),
    };
  }

  zero(): void {
    this.#bytes.fill(0);
  }

  #append(piece: Buffer): void {
    const needed = this.#size + piece.length;
    if (needed > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#size);
      this.#bytes.fill(0);
      this.#bytes = larger;
    }
    piece.copy(this.#bytes, this.#size);
    piece.fill(0);
    this.#size = needed;
  }

  #lengthAt(offset: number): number | undefined {
    return this.#size < offset + 4 ? undefined : this.#bytes.readUInt32LE(offset);
  }
}
