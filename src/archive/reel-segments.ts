/** The segments of one reel as their index records, without an object for each: a day has tens of thousands. */
import { indexSlotBytes, segmentFlags } from '../native.ts';
import { endAfter, isGap, mergeRange, type Segment, type TimeRange } from './segment.ts';

/** Places in a record; docs/archive.md, "Index". */
const place = { offset: 0, length: 8, flags: 12, startUs: 16, duration: 40, crc32c: 44, sequence: 48 } as const;
const highWord = 2 ** 32;

/** Does not change. Positions are from 0 to `length`, exclusive. */
export class ReelSegments implements Iterable<Segment> {
  readonly hour: number;
  readonly length: number;
  /** As they stand in the index, those that hold, end to end. */
  readonly records: Buffer;
  readonly #view: DataView;
  readonly #passing: boolean;

  /** `passing`: nobody else has the memory of `records`, and `release` gives it back. */
  constructor(hour: number, records: Buffer, passing = false) {
    this.hour = hour;
    this.records = records;
    this.#passing = passing;
    this.length = records.length / indexSlotBytes;
    this.#view = new DataView(records.buffer, records.byteOffset, records.length);
  }

  startUs(position: number): number {
    const at = position * indexSlotBytes + place.startUs;
    return this.#view.getInt32(at + 4, true) * highWord + this.#view.getUint32(at, true);
  }

  endUs(position: number): number {
    return endAfter(this.startUs(position), this.duration(position));
  }

  /** The end of the last one, where there is one. */
  get lastEndUs(): number | undefined {
    return this.length === 0 ? undefined : this.endUs(this.length - 1);
  }

  offset(position: number): number {
    const at = position * indexSlotBytes + place.offset;
    return this.#view.getUint32(at + 4, true) * highWord + this.#view.getUint32(at, true);
  }

  /** 90 kHz ticks. */
  duration(position: number): number {
    return this.#view.getUint32(position * indexSlotBytes + place.duration, true);
  }

  hasFlag(position: number, flag: number): boolean {
    return (this.#view.getUint32(position * indexSlotBytes + place.flags, true) & flag) !== 0;
  }

  /**
   * Whether a player must reset its decoder before the segment. `formerEndUs` is the end of the neighbour before the first one, where there is one.
   * The lines of playlists (native/playlist) follow the same rule.
   */
  isDiscontinuous(position: number, formerEndUs: number | undefined): boolean {
    if (this.hasFlag(position, segmentFlags.discontinuity)) return true;
    const end = position === 0 ? formerEndUs : this.endUs(position - 1);
    return end !== undefined && isGap(end, this.startUs(position));
  }

  /** Extends `ranges` (in order of time) with the segments from `first` to `end`. A discontinuity without missing time does not part a range. */
  addTo(ranges: TimeRange[], first = 0, end = this.length): void {
    for (let from = first; from < end; ) {
      const startUs = this.startUs(from);
      let endUs = this.endUs(from);
      for (from += 1; from < end && !isGap(endUs, this.startUs(from)); from += 1)
        endUs = Math.max(endUs, this.endUs(from));
      mergeRange(ranges, { startUs, endUs });
    }
  }

  /** Counted from the end where `position` is negative; `undefined` outside. */
  at(position: number): Segment | undefined {
    const found = position < 0 ? this.length + position : position;
    return found >= 0 && found < this.length ? this.#segment(found) : undefined;
  }

  slice(first: number, end: number): Segment[] {
    return Array.from({ length: Math.max(0, end - first) }, (_, at) => this.#segment(first + at));
  }

  *[Symbol.iterator](): Generator<Segment> {
    for (let position = 0; position < this.length; position += 1) yield this.#segment(position);
  }

  /** The first `length` of them. */
  upTo(length: number): ReelSegments {
    return new ReelSegments(this.hour, this.records.subarray(0, length * indexSlotBytes), this.#passing);
  }

  /**
   * Where the segments are passing, gives their memory back; nothing may be asked of them then. Left to the collector, the indexes of a few
   * playlists make V8 mark the whole heap: their memory lies outside of it, and counts.
   */
  release(): void {
    const { buffer } = this.records;
    if (this.#passing && buffer instanceof ArrayBuffer) buffer.transfer(0);
  }

  /** The first position (segments are in order of time and offset) for which `holds` is true. */
  firstWhere(holds: (position: number) => boolean): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(middle)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #segment(position: number): Segment {
    const at = position * indexSlotBytes;
    const number = (field: number): number => this.#view.getUint32(at + field, true);
    return {
      hour: this.hour,
      sequence: number(place.sequence),
      offset: this.offset(position),
      length: number(place.length),
      flags: number(place.flags),
      startUs: this.startUs(position),
      duration: number(place.duration),
      crc32c: number(place.crc32c),
    };
  }
}

export const noSegments = (hour: number): ReelSegments => new ReelSegments(hour, Buffer.alloc(0));
