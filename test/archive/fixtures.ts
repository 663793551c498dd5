/** Archives made by hand: a directory as a volume, and index files as docs/archive.md lays them out. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { hourPath, hourUs } from '../../src/archive/reel.ts';
import { ReelSegments } from '../../src/archive/reel-segments.ts';
import type { Segment } from '../../src/archive/segment.ts';
import { Jail } from '../../src/datapath/jail.ts';
import { crc32c } from '../../src/native.ts';

/** A hour of a fixed day: 2026-11-21 10:00 UTC. */
export const someHour = Date.UTC(2026, 10, 21, 10) / 3_600_000;

const seal = (block: Buffer): Buffer => {
  block.writeUInt32LE(crc32c(block.subarray(0, 92)), 92);
  return block;
};

export const encodeHeader = (hour: number): Buffer => {
  const block = Buffer.alloc(96);
  block.write('RVINDEX1', 'latin1');
  block.writeUInt32LE(96, 8);
  block.writeBigInt64LE(BigInt(hour * hourUs), 16);
  return seal(block);
};

export const encodeRecord = (segment: Segment): Buffer => {
  const block = Buffer.alloc(96);
  block.writeBigUInt64LE(BigInt(segment.offset), 0);
  block.writeUInt32LE(segment.length, 8);
  block.writeUInt32LE(segment.flags, 12);
  block.writeBigInt64LE(BigInt(segment.startUs), 16);
  block.writeBigInt64LE(-1n, 24);
  block.writeUInt32LE(segment.duration, 40);
  block.writeUInt32LE(segment.crc32c, 44);
  block.writeUInt32LE(segment.sequence, 48);
  return seal(block);
};

export const encodeIndex = (hour: number, segments: readonly Segment[]): Buffer =>
  Buffer.concat([encodeHeader(hour), ...segments.map(encodeRecord)]);

export interface Wanted {
  /** Seconds after the hour's start. */
  readonly at: number;
  readonly seconds?: number;
  readonly flags?: number;
  readonly length?: number;
}

/** Segments of one hour, laid end to end in the reel. */
export const segmentsOf = (hour: number, wanted: readonly Wanted[]): Segment[] => {
  let offset = 0;
  return wanted.map(({ at, seconds = 2, flags = 5, length = 188 }, sequence) => {
    const segment = {
      hour,
      sequence,
      offset,
      length,
      flags,
      startUs: hour * hourUs + Math.round(at * 1e6),
      duration: Math.round(seconds * 90_000),
      crc32c: (hour * 1000 + sequence) % 2 ** 32,
    };
    offset += length;
    return segment;
  });
};

/** Segments of one hour as the archive holds them. */
export const reelOf = (segments: readonly Segment[]): ReelSegments =>
  new ReelSegments(segments[0]?.hour ?? 0, Buffer.concat(segments.map(encodeRecord)));

/** `count` segments of two seconds from the hour's start. */
export const run = (hour: number, count: number, from = 0): Segment[] =>
  segmentsOf(
    hour,
    Array.from({ length: count }, (_, at) => ({ at: from + at * 2 })),
  );

export class TemporaryVolume {
  readonly root: string;
  readonly files: Jail;

  constructor() {
    this.root = fs.mkdtempSync(path.join(os.tmpdir(), 'reelvault-archive-'));
    const fd = fs.openSync(this.root, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    this.files = new Jail({ fd, label: 'volume test' });
  }

  write(name: string, bytes: string | Buffer): void {
    const file = path.join(this.root, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, bytes);
  }

  /** Writes a reel of the bytes its segments name, and its index. */
  reel(stream: string, segments: readonly Segment[], tail: Buffer = Buffer.alloc(0)): void {
    const hour = (segments[0] as Segment).hour;
    const last = segments.at(-1) as Segment;
    this.write(`dvr/${stream}/${hourPath(hour)}.ts`, Buffer.alloc(last.offset + last.length, 0x47));
    this.write(`dvr/${stream}/${hourPath(hour)}.idx`, Buffer.concat([encodeIndex(hour, segments), tail]));
  }

  async remove(): Promise<void> {
    await this.files.close();
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}
