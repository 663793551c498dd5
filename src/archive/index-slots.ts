/** The raw slots of an index file: a header, then records of the same size; docs/archive.md, "Index". */
import { indexSlotBytes } from '../native.ts';

/** 96-byte records of the shortest segments in use, 0.5 s, fill an hour with far less than this. */
export const largestIndex = 16 * 1024 * 1024;

/** How many whole records a file of this length has room for. */
export const recordSlots = (indexBytes: number): number => Math.max(0, Math.floor(indexBytes / indexSlotBytes) - 1);

/** The records of `count` slots behind the header, as they stand in the file. */
export const recordBytes = (index: Buffer, count: number): Buffer =>
  index.subarray(indexSlotBytes, (count + 1) * indexSlotBytes);

/** The container that a header names, 32 hexadecimal digits; zeros where it was not known. */
export const headerUuid = (index: Buffer): string => index.toString('hex', 24, 40);
