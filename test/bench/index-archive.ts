/**
 * A synthetic archive: streams of 4 s segments, an hour a reel. Every reel is there (sparse) and has a row in the catalog; indexes are there, as
 * the writer writes them, for a random hundredth of the hours and for those that are asked for.
 */
import fs from 'node:fs';
import path from 'node:path';
import { ReelRows } from '../../src/archive/catalog/reel-rows.ts';
import { openTables } from '../../src/archive/catalog/schema.ts';
import { hourPath, hourUs } from '../../src/archive/reel.ts';
import { crc32c } from '../../src/native.ts';
import { encodeIndex, segmentsOf } from '../archive/fixtures.ts';

export const streamCount = 100;
export const yearHours = 8_760;
export const segmentsAnHour = 900;
const segmentBytes = 2_000_000;

/** The hour behind the last recorded one: 2026-11-01 00:00 UTC. */
export const endHour = Date.UTC(2026, 10, 1) / 3_600_000;

export const streamName = (at: number): string => `cam${String(at).padStart(3, '0')}`;

const firstIndex = encodeIndex(
  0,
  segmentsOf(
    0,
    Array.from({ length: segmentsAnHour }, (_, at) => ({ at: at * 4, seconds: 4, length: segmentBytes })),
  ),
);

/** The same index for each hour, moved there: header and records have their time at the same place, and their checksum. */
const indexOf = (hour: number): Buffer => {
  const index = Buffer.from(firstIndex);
  for (let at = 0; at < index.length; at += 96) {
    const slot = index.subarray(at, at + 96);
    slot.writeBigInt64LE(slot.readBigInt64LE(16) + BigInt(hour * hourUs), 16);
    slot.writeUInt32LE(crc32c(slot.subarray(0, 92)), 92);
  }
  return index;
};

/** Writes the index of a reel that has none yet. */
export const writeIndex = (root: string, stream: string, hour: number): void => {
  const file = path.join(root, 'dvr', stream, `${hourPath(hour)}.idx`);
  if (fs.existsSync(file)) return;
  fs.writeFileSync(file, indexOf(hour));
};

const addStream = (
  root: string,
  rows: ReelRows,
  stream: string,
  from: number,
  to: number,
  random: () => number,
): void => {
  for (let hour = from; hour < to; hour += 1) {
    const file = path.join(root, 'dvr', stream, `${hourPath(hour)}.ts`);
    if (hour === from || hour % 24 === 0) fs.mkdirSync(path.dirname(file), { recursive: true });
    const fd = fs.openSync(file, 'w');
    fs.ftruncateSync(fd, segmentsAnHour * segmentBytes);
    fs.closeSync(fd);
    if (random() < 0.01) writeIndex(root, stream, hour);
    rows.setClosed(
      { stream, hour },
      {
        bytes: segmentsAnHour * segmentBytes + 96 * (segmentsAnHour + 1),
        segments: segmentsAnHour,
        flags: 0,
        ranges: [{ startUs: hour * hourUs, endUs: (hour + 1) * hourUs }],
      },
    );
  }
};

/** Adds to the archive at `root` the hours from `from` to `to` (exclusive) of all streams. Nobody may have its catalog open. */
export const addHours = (root: string, from: number, to: number, random: () => number): void => {
  const directory = path.join(root, '.reelvault');
  fs.mkdirSync(directory, { recursive: true });
  const fd = fs.openSync(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  const db = openTables(fd);
  if (db === undefined) throw new Error('the catalog of another version');
  const rows = new ReelRows(db);
  for (let at = 0; at < streamCount; at += 1)
    rows.transaction(() => addStream(root, rows, streamName(at), from, to, random));
  rows.setDone();
  db.close();
  fs.closeSync(fd);
};

/** Bytes of the catalog's file. */
export const catalogBytes = (root: string): number => fs.statSync(path.join(root, '.reelvault/catalog.sqlite')).size;
