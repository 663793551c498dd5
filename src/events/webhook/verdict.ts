/** What an answer of a receiver means, and how long to wait before the same event is posted again. */

export type Verdict =
  | 'taken'
  /** It cannot take anything now: the event waits for as long as there is room. */
  | 'away'
  /** It failed with this event, perhaps because of it. */
  | 'failed'
  /** Nothing that waiting would change. */
  | 'refused';

const away = new Set([408, 425, 429, 502, 503, 504]);

export const verdictOf = (status: number): Verdict => {
  if (status >= 200 && status < 300) return 'taken';
  if (away.has(status)) return 'away';
  return status >= 500 ? 'failed' : 'refused';
};

export interface Backoff {
  /** Milliseconds; doubled with each attempt up to the longest. */
  readonly firstMs: number;
  readonly longestMs: number;
  /** The longest that a receiver may ask for. */
  readonly longestAskedMs: number;
}

/** `Retry-After`: seconds or a date. Undefined where it is neither. */
export const askedMs = (retryAfter: string | undefined, nowMs: number): number | undefined => {
  if (retryAfter === undefined) return undefined;
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter) * 1000;
  // `Date.parse` takes almost anything for a date.
  const at = retryAfter.endsWith(' GMT') ? Date.parse(retryAfter) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(at - nowMs, 0);
};

/**
 * After the `attempt`-th that failed, counted from 1. `chance` from 0 to 1 spreads the senders of many machines over the upper half of the
 * time, so that they do not all come back at once. Never sooner than the receiver asked for, within the bound.
 */
export const pauseMs = (backoff: Backoff, attempt: number, chance: number, asked = 0): number => {
  const doubled = Math.min(backoff.firstMs * 2 ** (attempt - 1), backoff.longestMs);
  return Math.round(Math.max(doubled * (0.5 + chance / 2), Math.min(asked, backoff.longestAskedMs)));
};
