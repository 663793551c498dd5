/** Why time is missing before a segment: bits of its index record's flags (docs/archive.md, "Gaps"). */

/** Part of the archive's format: names and bits never change. */
export const gapReasonBits = {
  'ordered-off': 1 << 8,
  'scheduled-off': 1 << 9,
  disk: 1 << 10,
  full: 1 << 11,
  locked: 1 << 12,
  clock: 1 << 13,
  stopped: 1 << 14,
  unexplained: 1 << 15,
} as const;

export type GapReason = keyof typeof gapReasonBits;

const all = Object.entries(gapReasonBits) as readonly [GapReason, number][];

/** The reasons in a record's flags, in the order of their bits. */
export const gapReasonsOf = (flags: number): GapReason[] =>
  all.filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name);

export const gapFlags = (reasons: Iterable<GapReason>): number => {
  let flags = 0;
  for (const reason of reasons) flags |= gapReasonBits[reason];
  return flags;
};
