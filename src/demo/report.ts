/** What a demo has recorded, read from the mounted volume. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { glob, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

const headerBytes = 96;
const recordBytes = 96;

export interface IndexRecord {
  readonly length: number;
  readonly startUs: number;
  readonly seconds: number;
}

export interface ReelReport {
  /** Below the volume's root. */
  readonly path: string;
  readonly bytes: number;
  /** Hex, of the whole file. */
  readonly sha256: string;
  readonly segments: number;
}

/** The layout is in docs/archive.md. The stream is finished, so every record is whole. */
const readIndex = async (file: string): Promise<IndexRecord[]> => {
  const bytes = await readFile(file);
  const records: IndexRecord[] = [];
  for (let at = headerBytes; at + recordBytes <= bytes.length; at += recordBytes) {
    records.push({
      length: bytes.readUInt32LE(at + 8),
      startUs: Number(bytes.readBigInt64LE(at + 16)),
      seconds: bytes.readUInt32LE(at + 40) / 90_000,
    });
  }
  return records;
};

const sha256 = async (file: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
};

/** All reels of the stream in order of time, and the records of their indexes. */
export const readReels = async (
  mountPoint: string,
  stream: string,
): Promise<{ reels: ReelReport[]; records: IndexRecord[] }> => {
  const found = (await Array.fromAsync(glob(`dvr/${stream}/*/*/*/*.ts`, { cwd: mountPoint }))).sort();
  const reels: ReelReport[] = [];
  const records: IndexRecord[] = [];
  for (const reel of found) {
    const file = path.join(mountPoint, reel);
    const index = await readIndex(file.replace(/\.ts$/, '.idx'));
    records.push(...index);
    reels.push({ path: reel, bytes: (await stat(file)).size, sha256: await sha256(file), segments: index.length });
  }
  return { reels, records };
};
