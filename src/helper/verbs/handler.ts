import type { VolumeContext } from '../../volume/context.ts';
import type { Requests, Results, Verb } from '../protocol.ts';

/** A result, and a descriptor to send along, -1 for none; who gets it closes it. */
export interface Outcome<V extends Verb = Verb> {
  readonly result: Results[V];
  readonly fd: number;
}

/** The process that asked, as the kernel noted it when it connected. */
export interface Caller {
  readonly pid: number;
}

/** Does one verb. The secrets are those that the verb's `secrets` names, in that order; they are zeroed after the call. */
export type Handler<V extends Verb> = (
  context: VolumeContext,
  request: Requests[V],
  secrets: readonly Buffer[],
  caller: Caller,
) => Promise<Outcome<V>>;

export type Handlers<Of extends Verb> = { readonly [V in Of]: Handler<V> };

export const plain = <R>(result: R): { result: R; fd: number } => ({ result, fd: -1 });
