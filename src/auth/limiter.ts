/** Slows down guessing: each address has a number of attempts that comes back with time. */
import { isIPv6 } from 'node:net';

interface Bucket {
  tokens: number;
  at: number;
}

export interface LimiterParams {
  readonly attempts: number;
  readonly refillMs: number;
  readonly addresses: number;
  readonly now: () => number;
}

export class AttemptLimiter {
  readonly #params: LimiterParams;
  /** In order of last use: the oldest goes first when there are too many. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(params: LimiterParams) {
    this.#params = params;
  }

  /** Takes one attempt of this address. Returns 0, or the milliseconds until the next attempt when none is left. */
  take(address: string): number {
    const { attempts, refillMs, addresses, now } = this.#params;
    const key = limiterKey(address);
    const time = now();
    const old = this.#buckets.get(key) ?? { tokens: attempts, at: time };
    const tokens = Math.min(attempts, old.tokens + Math.max(0, time - old.at) / refillMs);
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: time });
    if (this.#buckets.size > addresses) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    return tokens >= 1 ? 0 : Math.ceil((1 - tokens) * refillMs);
  }

  /** Gives an attempt back: it was a good one. */
  refund(address: string): void {
    const bucket = this.#buckets.get(limiterKey(address));
    if (bucket !== undefined) bucket.tokens = Math.min(this.#params.attempts, bucket.tokens + 1);
  }
}

/** One IPv6 host commands a whole /64, and the mapped form of an IPv4 address is that address. */
export const limiterKey = (address: string): string => {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = tail === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill('0'), ...right];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
};
