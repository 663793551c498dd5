import type { Luks1Header } from './luks1-header.ts';
import type { Luks2Metadata } from './luks2-copy.ts';
import type { Header } from './read-header.ts';

/** A stretch of the container. */
interface Area {
  readonly what: string;
  readonly start: bigint;
  readonly end: bigint;
}

export interface HeaderLayout {
  /** Bytes of header and key material from the start of the file: what a backup holds. */
  readonly headerBytes: number;
  /** Bytes from the start of the file to the payload; 0 where the payload lies in another file. */
  readonly payload: number;
  /** Bytes the file must have at least. */
  readonly leastBytes: number;
  /** What cannot be, in words: areas over one another or outside their place. */
  readonly problems: readonly string[];
}

const align = (bytes: number, unit: number): number => Math.ceil(bytes / unit) * unit;

const overlaps = (areas: readonly Area[]): string[] => {
  const sorted = [...areas].sort((a, b) => (a.start < b.start ? -1 : 1));
  return sorted.flatMap((area, index) => {
    const next = sorted[index + 1];
    return next !== undefined && next.start < area.end ? [`${area.what} and ${next.what} overlap`] : [];
  });
};

const outside = (areas: readonly Area[], start: bigint, end: bigint): string[] =>
  areas.filter((area) => area.start < start || area.end > end).map((area) => `${area.what} lies outside its area`);

const layout2 = (copyBytes: number, metadata: Luks2Metadata, size: number): HeaderLayout => {
  const start = BigInt(2 * copyBytes);
  const end = start + BigInt(metadata.config.keyslots_size);
  const keyslots = Object.entries(metadata.keyslots).map(([slot, { area }]): Area => {
    const from = BigInt(area.offset);
    return { what: `keyslot ${slot}`, start: from, end: from + BigInt(area.size) };
  });
  // During a reencryption there are two more, which say how all of it was and will be, and lie over the real ones.
  const real = Object.entries(metadata.segments).filter(
    ([, { flags = [] }]) => !flags.some((flag) => flag.startsWith('backup-')),
  );
  const segments = real.map(([number, { offset, size: bytes }]): Area => {
    const from = BigInt(offset);
    return { what: `segment ${number}`, start: from, end: bytes === 'dynamic' ? from + 512n : from + BigInt(bytes) };
  });
  const first = segments.reduce((least, { start: from }) => (from < least ? from : least), segments[0]?.start ?? 0n);
  const last = segments.reduce((most, { end: to }) => (to > most ? to : most), end);
  // A file that is too short is told by `leastBytes`, with what it needs.
  const problems = [...overlaps(keyslots), ...outside(keyslots, start, end), ...overlaps(segments)];
  if (segments.length === 0) problems.push('no segment of data');
  if (first !== 0n && first < end) problems.push('the payload begins within the header');
  const fits = end <= BigInt(Number.MAX_SAFE_INTEGER) && last <= BigInt(Number.MAX_SAFE_INTEGER);
  if (!fits) problems.push('sizes that no file has');
  return {
    headerBytes: Math.min(Number(end), size),
    payload: first > BigInt(size) ? size : Number(first),
    leastBytes: fits ? Number(last) : Number.MAX_SAFE_INTEGER,
    problems,
  };
};

const layout1 = (header: Luks1Header, size: number): HeaderLayout => {
  const areas = header.slots.map(({ slot, offset, bytes }): Area => {
    return { what: `key slot ${slot}`, start: BigInt(offset), end: BigInt(offset + align(bytes, 512)) };
  });
  const end = header.slots.reduce((most, { offset, bytes }) => Math.max(most, align(offset + bytes, 4096)), 4096);
  const problems = [...overlaps(areas), ...outside(areas, 592n, BigInt(header.payload === 0 ? end : header.payload))];
  const headerBytes = Math.min(Math.max(end, header.payload), size);
  return { headerBytes, payload: Math.min(header.payload, size), leastBytes: header.payload + 512, problems };
};

/** Where everything lies, and what of it cannot be. */
export const layoutOf = (header: Extract<Header, { type: 'luks1' | 'luks2' }>): HeaderLayout =>
  header.type === 'luks1'
    ? layout1(header.luks1, header.size)
    : layout2(header.current.bytes, header.current.metadata, header.size);
