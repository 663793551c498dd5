/** The Range header of RFC 9110 section 14 for one representation of known length. */

export interface ByteRange {
  /** First byte. */
  readonly start: number;
  /** Last byte, included. */
  readonly end: number;
}

/**
 * What to send: `undefined` the whole (no header, a unit other than bytes, a header that is not well formed, several ranges: RFC 9110
 * 14.2 lets a server ignore these, and players ask for one range only), `unsatisfiable` for 416, or the range.
 */
export const parseRange = (value: string | undefined, length: number): ByteRange | 'unsatisfiable' | undefined => {
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(value ?? '');
  if (match === null) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '' && to === '') return undefined;
  if (from === '') {
    const suffix = Number(to);
    return suffix === 0 || length === 0 ? 'unsatisfiable' : { start: Math.max(0, length - suffix), end: length - 1 };
  }
  const start = Number(from);
  const end = to === '' ? Number.POSITIVE_INFINITY : Number(to);
  if (end < start) return undefined;
  return start >= length ? 'unsatisfiable' : { start, end: Math.min(end, length - 1) };
};

/** Whether an If-None-Match header names `etag` (RFC 9110 13.1.2: weak comparison, `*` matches anything that exists). */
export const matchesEtag = (value: string | undefined, etag: string): boolean =>
  value !== undefined &&
  (value.trim() === '*' || value.split(',').some((one) => one.trim().replace(/^W\//, '') === etag));

/** Whether If-Range lets the Range header count: only a strong match does (a date never matches: no Last-Modified is sent). */
export const rangeAllowed = (ifRange: string | undefined, etag: string): boolean =>
  ifRange === undefined || ifRange.trim() === etag;
