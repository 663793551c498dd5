/**
 * Reads the files of an archive as docs/archive.md lays them out ("Files"), with nothing of the product's code: what is written on that page must be
 * enough for somebody who has only the page and the files.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';

/** "CRC32C": polynomial 0x1EDC6F41, reflected; starts with and is inverted by all ones. */
const table = Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc >>> 0;
});

export const crc32c = (bytes: Uint8Array): number => {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (table[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
};

const sha256 = (...parts: readonly (Uint8Array | string)[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

const zeros = (bytes: Buffer, from: number, to: number): boolean =>
  bytes.subarray(from, to).every((byte) => byte === 0);

const must = (holds: boolean, what: string): void => {
  if (!holds) throw new Error(`the page says: ${what}`);
};

export interface PageRecord {
  readonly offset: number;
  readonly length: number;
  readonly flags: number;
  readonly startUs: bigint;
  readonly firstPts: bigint;
  readonly duration: number;
  readonly crc32c: number;
  readonly sequence: number;
  readonly sha256: Buffer | undefined;
  readonly bytes: Buffer;
  /** As they stand in the index. */
  readonly raw: Buffer;
}

export interface PageReel {
  readonly hourUs: bigint;
  readonly evidence: boolean;
  readonly uuid: string;
  readonly records: readonly PageRecord[];
}

/** Throws where a closed reel and its index are not as the page says. */
export const readReel = (index: Buffer, reel: Buffer): PageReel => {
  must(index.length % 96 === 0, 'an index is a header of 96 bytes and records of 96 bytes');
  must(index.toString('latin1', 0, 8) === 'RVINDEX1', 'magic');
  must(index.readUInt32LE(8) === 96, 'size of a record');
  must(zeros(index, 40, 92), 'zeros at 40 of the header');
  must(index.readUInt32LE(92) === crc32c(index.subarray(0, 92)), 'CRC of the header');
  const records: PageRecord[] = [];
  let end = 0;
  for (let at = 96; at < index.length; at += 96) {
    const raw = index.subarray(at, at + 96);
    must(raw.readUInt32LE(92) === crc32c(raw.subarray(0, 92)), 'CRC of a record');
    must(zeros(raw, 32, 40) && zeros(raw, 52, 56) && zeros(raw, 88, 92), 'zeros of a record');
    const offset = Number(raw.readBigUInt64LE(0));
    const length = raw.readUInt32LE(8);
    must(offset === end && length > 0, 'segments follow each other without a hole');
    end = offset + length;
    must(end <= reel.length, 'the bytes of a record are inside the reel');
    const bytes = reel.subarray(offset, end);
    const sum = raw.readUInt32LE(44);
    must(sum === crc32c(bytes), 'CRC32C of the bytes');
    const digest = zeros(raw, 56, 88) ? undefined : Buffer.from(raw.subarray(56, 88));
    must(digest === undefined || digest.equals(sha256(bytes)), 'SHA-256 of the bytes');
    const sequence = raw.readUInt32LE(48);
    must(sequence === records.length, 'records are numbered from 0');
    const [startUs, firstPts] = [raw.readBigInt64LE(16), raw.readBigInt64LE(24)];
    const former = records.at(-1);
    must(
      former === undefined || startUs >= former.startUs + (BigInt(former.duration) * 100n + 4n) / 9n,
      'no overlap in time',
    );
    records.push({
      ...{ offset, length, flags: raw.readUInt32LE(12), startUs, firstPts, duration: raw.readUInt32LE(40) },
      ...{ crc32c: sum, sequence, sha256: digest, bytes, raw },
    });
  }
  must(end === reel.length, 'a closed reel ends with its last segment');
  return {
    hourUs: index.readBigInt64LE(16),
    evidence: (index.readUInt32LE(12) & 1) === 1,
    uuid: index.toString('hex', 24, 40),
    records,
  };
};

export interface PageSignature {
  readonly recovered: boolean;
  readonly number: bigint;
  readonly signedAtUs: bigint;
  readonly records: number;
  readonly hashed: number;
  readonly stream: string;
  /** SHA-256 of the signature file before it. */
  readonly previous: Buffer;
  /** SHA-256 of this one. */
  readonly digest: Buffer;
}

/** Throws where the signature is not what the page says of this reel, or not by this key (PEM). */
export const readSignature = (bytes: Buffer, reel: PageReel, publicKey: string): PageSignature => {
  must(bytes.length === 384 && bytes.readUInt32LE(8) === 384, 'size of a signature');
  must(bytes.toString('latin1', 0, 8) === 'RVSIGN01', 'magic of a signature');
  must(bytes.readBigInt64LE(16) === reel.hourUs, 'hour of a signature');
  must(bytes.toString('hex', 24, 40) === reel.uuid, 'UUID of a signature');
  const key = createPublicKey(publicKey);
  must(bytes.subarray(136, 168).equals(sha256(key.export({ type: 'spki', format: 'der' }))), 'name of the key');
  must(verify(null, bytes.subarray(0, 320), key, bytes.subarray(320)), 'Ed25519 over bytes 0 to 319');
  const nameBytes = bytes.readUInt32LE(168);
  const stream = bytes.toString('utf8', 172, 172 + nameBytes);
  must(zeros(bytes, 172 + nameBytes, 320), 'zeros behind the name');
  const records = bytes.readUInt32LE(56);
  const hour = reel.hourUs / 3_600_000_000n;
  let link = sha256(`reelvault-records-1\n${reel.uuid}\n${stream}\n${hour}\n`);
  for (const { raw } of reel.records.slice(0, records)) link = sha256(link, raw);
  must(bytes.subarray(104, 136).equals(link), 'hash chain of the records');
  const last = reel.records[records - 1];
  must(
    Number(bytes.readBigUInt64LE(64)) === (last?.offset ?? 0) + (last?.length ?? 0),
    'end of the last covered segment',
  );
  return {
    recovered: (bytes.readUInt32LE(12) & 1) === 1,
    number: bytes.readBigUInt64LE(40),
    signedAtUs: bytes.readBigInt64LE(48),
    hashed: bytes.readUInt32LE(60),
    ...{ records, stream },
    previous: Buffer.from(bytes.subarray(72, 104)),
    digest: sha256(bytes),
  };
};
