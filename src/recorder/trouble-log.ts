/** What kept streams from being recorded, and from when to when: the causes of gaps that nobody ordered. In memory, from this start of the service on. */
import type { GapReason } from '../archive/gap-reasons.ts';
import type { ReelError } from '../errors.ts';
import type { Cause } from './explain-gap.ts';

/** What a trouble is of: all streams, those of a volume, or one. */
export type Scope = 'service' | `volume:${string}` | `stream:${string}`;

interface Trouble {
  readonly reason: GapReason;
  /** Unix milliseconds. */
  readonly from: number;
  /** Undefined while it lasts. */
  to: number | undefined;
}

/** Of one scope; a gap with more troubles in it than this is explained by the newest. */
const kept = 32;

const conditionReasons: Readonly<Record<string, GapReason>> = { 'host-space': 'full', 'volume-space': 'full' };
const storageCodes = new Set(['io-error', 'storage-hung', 'block-plane-died', 'container-changed', 'archive-damaged']);

/** Undefined where it is nothing that the storage did. */
export const storageReason = ({ code, details }: ReelError): GapReason | undefined => {
  if (code === 'no-space') return 'full';
  if (code === 'volume-paused') return conditionReasons[String(details.condition)] ?? 'disk';
  return storageCodes.has(code) ? 'disk' : undefined;
};

export class TroubleLog {
  readonly #now: () => number;
  readonly #troubles = new Map<Scope, Trouble[]>();

  /** `now`: Unix milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** It lasts until `ended`, or until another begins in the same scope. `from`: Unix milliseconds, where it is noticed later. */
  began(scope: Scope, reason: GapReason, from = this.#now()): void {
    const last = this.#troubles.get(scope)?.at(-1);
    if (last?.to === undefined && last?.reason === reason) return;
    this.ended(scope);
    this.#add(scope, { reason, from, to: undefined });
  }

  ended(scope: Scope): void {
    const last = this.#troubles.get(scope)?.at(-1);
    if (last?.to === undefined && last !== undefined) last.to = this.#now();
  }

  /** One that is over. */
  was(scope: Scope, reason: GapReason, from: number, to: number): void {
    this.#add(scope, { reason, from, to });
  }

  /** Of all these scopes, up to now. */
  causes(...scopes: readonly Scope[]): Cause[] {
    const now = this.#now();
    return scopes.flatMap((scope) =>
      (this.#troubles.get(scope) ?? []).map(({ reason, from, to }) => ({ reason, from, to: to ?? now })),
    );
  }

  forget(scope: Scope): void {
    this.#troubles.delete(scope);
  }

  #add(scope: Scope, trouble: Trouble): void {
    const troubles = this.#troubles.get(scope) ?? [];
    troubles.push(trouble);
    this.#troubles.set(scope, troubles.slice(-kept));
  }
}
