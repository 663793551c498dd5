import { closeSync } from 'node:fs';
import { type ErrorCode, errorTable, ReelError } from '../errors.ts';
import { callUnixSocket } from '../native.ts';
import { decodeAnswer, encodeRequest } from './framing.ts';
import { type Requests, type Results, type Verb, verbs } from './protocol.ts';

/** An answer and the descriptor that came with it, -1 for none. Whoever called owns the descriptor and closes it. */
export interface Reply<V extends Verb> {
  readonly result: Results[V];
  readonly fd: number;
}

const unavailable = (socketPath: string, got: string, cause?: unknown): ReelError =>
  new ReelError('helper-unavailable', {
    expected: `the privileged helper at ${socketPath}`,
    got,
    hint: 'start the service as root, or see why its helper ended',
    cause,
  });

/** What happened in the other process: a stack of this one would point at the wrong place. */
const elsewhere = (words: string): Error => {
  const error = new Error(words);
  error.stack = `in the helper: ${words}`;
  return error;
};

const errorFrom = (json: unknown): ReelError => {
  const { code, expected, got, hint, details, cause } = json as Record<string, unknown>;
  if (
    typeof code !== 'string' ||
    !Object.hasOwn(errorTable, code) ||
    typeof expected !== 'string' ||
    typeof got !== 'string'
  ) {
    return new ReelError('helper-protocol', { expected: 'an error of the table', got: 'another form' });
  }
  return new ReelError(code as ErrorCode, {
    expected,
    got,
    ...(typeof hint === 'string' ? { hint } : {}),
    ...(typeof cause === 'string' ? { cause: elsewhere(cause) } : {}),
    details: (details ?? {}) as Readonly<Record<string, unknown>>,
  });
};

/** The daemon's side: one connection a call. */
export class HelperClient {
  readonly #socketPath: string;

  constructor({ socketPath }: { socketPath: string }) {
    this.#socketPath = socketPath;
  }

  /**
   * Asks the helper. Throws what the helper threw; `helper-unavailable` when nobody listens or it ended during the call, in which case
   * the same call may be made again: each verb takes up what a former one left. `secrets` stay the caller's, who zeroes them.
   */
  async call<V extends Verb>(
    request: Requests[V] & { readonly verb: V },
    ...secrets: readonly Buffer[]
  ): Promise<Reply<V>> {
    const frame = encodeRequest(request, secrets);
    const { reply, fd } = await this.#exchange(frame, verbs[request.verb].timeoutMs).finally(() => frame.fill(0));
    try {
      if (reply.length === 0) throw unavailable(this.#socketPath, 'no answer: it ended during the call');
      const answer = decodeAnswer(reply) as { ok?: unknown; result?: Results[V]; error?: unknown };
      if (answer.ok === true && answer.result !== undefined) return { result: answer.result, fd };
      throw errorFrom(answer.error ?? {});
    } catch (error) {
      if (fd >= 0) closeSync(fd);
      throw error;
    }
  }

  async #exchange(frame: Buffer, timeoutMs: number): Promise<{ reply: Buffer; fd: number }> {
    try {
      return await callUnixSocket(this.#socketPath, frame, timeoutMs);
    } catch (cause) {
      throw unavailable(this.#socketPath, (cause as NodeJS.ErrnoException).code ?? 'no connection', cause);
    }
  }
}
