/** Where the power is cut, and what of the writes that were under way is on the disk then. */
import type { LogEntry } from '../luksblock/write-log.ts';
import { randomOf } from '../random.ts';
import { type Piece, WritesUnderWay } from './disk.ts';

/** Bytes of the container. */
export interface Extent {
  readonly from: number;
  readonly to: number;
}

const split = ({ where, length, data }: Piece, unit: number): Piece[] =>
  Array.from({ length: Math.ceil(length / unit) }, (_, index) => {
    const at = index * unit;
    return { where: where + at, length: Math.min(unit, length - at), data: data + at };
  });

/** Each unit of a write is on the disk or not. */
const units = (pending: readonly Piece[], unit: number, random: () => number, share = 0.5): Piece[] =>
  pending.flatMap((piece) => split(piece, unit).filter(() => random() < share));

/** All sectors but some, and one at least. */
const torn = (piece: Piece, random: () => number): Piece[] => {
  const sectors = split(piece, 512);
  const missing = Math.floor(random() * sectors.length);
  return sectors.filter((_, index) => random() < 0.75 && index !== missing);
};

/** The first bytes, whole sectors. */
const beginning = ({ where, length, data }: Piece, random: () => number): Piece[] => {
  const kept = Math.floor(random() * (length / 512)) * 512;
  return kept === 0 ? [] : [{ where, length: kept, data }];
};

type Choice = (pending: readonly Piece[], random: () => number, journal: readonly Extent[]) => Piece[];

const ofJournal = (journal: readonly Extent[]) => (piece: Piece) =>
  journal.some(({ from, to }) => piece.where < to && from < piece.where + piece.length);

/** What a disk may have made of the writes that no flush covers. Pieces go onto it in the order given. */
const choices = {
  /** Nothing left its cache. */
  none: () => [],
  /** Everything is on it. */
  all: (pending) => [...pending],
  /** In order, the last one torn. */
  prefix: (pending, random) => {
    const whole = Math.floor(random() * pending.length);
    const last = pending[whole];
    return [...pending.slice(0, whole), ...(last === undefined ? [] : beginning(last, random))];
  },
  /** The last first: only they are on it. */
  suffix: (pending, random) => pending.slice(Math.floor(random() * pending.length)),
  writes: (pending, random) => pending.filter(() => random() < 0.5),
  blocks: (pending, random) => units(pending, 4096, random),
  sectors: (pending, random) => units(pending, 512, random),
  /** All but one sector in sixteen. */
  holes: (pending, random) => units(pending, 512, random, 15 / 16),
  /** The journal of the filesystem is on it, and of the rest some. */
  journalFirst: (pending, random, journal) => {
    const first = ofJournal(journal);
    return pending.flatMap((piece) => (first(piece) ? [piece] : units([piece], 512, random, 0.25)));
  },
  /** The journal is torn, and the rest is on it. */
  journalTorn: (pending, random, journal) => {
    const isTorn = ofJournal(journal);
    return pending.flatMap((piece) => (isTorn(piece) ? torn(piece, random) : [piece]));
  },
} satisfies Record<string, Choice>;

export type ChoiceName = keyof typeof choices;
const besidesNone = (Object.keys(choices) as ChoiceName[]).filter((name) => name !== 'none');
/** Those that say something of the journal want to meet it. */
const ofTheJournal: ReadonlySet<ChoiceName> = new Set(['journalFirst', 'journalTorn']);

export interface Point {
  /** The power goes before this entry of the log. */
  readonly cut: number;
  readonly choice: ChoiceName;
  readonly seed: number;
}

export interface Survivors {
  /** In the order in which they go onto the disk. */
  readonly pieces: readonly Piece[];
  /** Some of the bytes under way are on the disk, and some are not. */
  readonly torn: boolean;
  /** Of the bytes under way to the journal some are not on the disk, though others are, there or elsewhere. */
  readonly tornJournal: boolean;
}

const bytesOf = (pieces: readonly Piece[]): number => pieces.reduce((sum, { length }) => sum + length, 0);

/** What of the writes under way is on the disk at this point. */
export const survivorsOf = (point: Point, pending: readonly Piece[], journal: readonly Extent[]): Survivors => {
  const choice: Choice = choices[point.choice];
  const pieces = choice(pending, randomOf(point.seed), journal);
  const inJournal = ofJournal(journal);
  const torn = pieces.length > 0 && bytesOf(pieces) < bytesOf(pending);
  const missing = bytesOf(pending.filter(inJournal)) - bytesOf(pieces.filter(inJournal));
  return { pieces, torn, tornJournal: torn && missing > 0 };
};

interface Places {
  /** Behind each flush that has ended. */
  readonly boundaries: number[];
  /** Writes are under way. */
  readonly underWay: number[];
  /** Of these, writes of the journal, too. */
  readonly journalUnderWay: number[];
}

export const placesOf = (entries: readonly LogEntry[], journal: readonly Extent[]): Places => {
  const writes = new WritesUnderWay();
  const inJournal = ofJournal(journal);
  const boundaries: number[] = [];
  const underWay: number[] = [];
  const journalUnderWay: number[] = [];
  for (const entry of entries) {
    writes.take(entry);
    const cut = entry.sequence + 1;
    if (entry.kind === 'flushEnded') boundaries.push(cut);
    if (writes.pending.length > 0) underWay.push(cut);
    if (writes.pending.some(inJournal)) journalUnderWay.push(cut);
  }
  return { boundaries, underWay, journalUnderWay };
};

const spread = (places: readonly number[], count: number): number[] =>
  count >= places.length
    ? [...places]
    : Array.from({ length: count }, (_, index) => places[Math.floor((index * places.length) / count)] as number);

/**
 * `count` points, in the order of the log: every boundary of a flush (of so many as make half of the points, evenly spread) with nothing of
 * the rest on the disk, and between them torn writes; of these a third where `told` was told, those of the journal where it is being written,
 * the rest anywhere.
 */
export const choosePoints = (
  { entries, journal }: { readonly entries: readonly LogEntry[]; readonly journal: readonly Extent[] },
  told: readonly number[],
  count: number,
  seed: number,
): Point[] => {
  const random = randomOf(seed);
  const { boundaries, underWay, journalUnderWay } = placesOf(entries, journal);
  const clean = spread(boundaries, Math.ceil(count / 2)).map((cut) => ({ cut, choice: 'none' as const }));
  const busy = new Set(underWay);
  const near = told.filter((cut) => busy.has(cut));
  const rest = Array.from({ length: count - clean.length }, (_, index) => {
    const choice = besidesNone[index % besidesNone.length] as ChoiceName;
    const wanted = ofTheJournal.has(choice) ? journalUnderWay : index % 3 === 0 ? near : underWay;
    const from = wanted.length > 0 ? wanted : underWay;
    return { cut: from[Math.floor(random() * from.length)] ?? entries.length, choice };
  });
  return [...clean, ...rest]
    .sort((one, other) => one.cut - other.cut)
    .map((point, index) => ({ ...point, seed: seed * 100_003 + index }));
};
