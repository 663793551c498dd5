/** The signature file of a reel, byte by byte as docs/archive.md has it ("Evidence"). */
import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import { indexSlotBytes } from '../../native.ts';

export const signatureBytes = 384;
const signedBytes = 320;
const magic = 'RVSIGN01';
const longestName = 100;

/** What is signed. */
export interface EvidenceStatement {
  /** The reel was not signed when its writer closed it, but later, from what was on disk. */
  readonly recovered: boolean;
  /** Hours since the Unix epoch. */
  readonly hour: number;
  /** The container's, 32 hexadecimal digits. */
  readonly uuid: string;
  readonly stream: string;
  /** Place in the chain of the stream's signed reels, from 1. */
  readonly number: number;
  /** Milliseconds, by the service's clock. */
  readonly signedAt: number;
  /** How many index records are covered, and how many of them carry a SHA-256. */
  readonly records: number;
  readonly hashed: number;
  /** End of the last covered segment in the reel. */
  readonly reelBytes: number;
  /** SHA-256 of the signature file of the reel before; zeros for the first. */
  readonly previous: Buffer;
  /** The end of the records' hash chain. */
  readonly link: Buffer;
  /** SHA-256 of the public key (SPKI, DER). */
  readonly key: Buffer;
}

export const noPrevious = Buffer.alloc(32);

export const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** The name of a public key: SHA-256 of its SPKI form. */
export const keyIdOf = (publicKey: KeyObject): Buffer => sha256(publicKey.export({ type: 'spki', format: 'der' }));

/** The hash chain over the records of an index (bytes behind its header): `link = SHA-256(link before ‖ record)`, from the hash of the index's name. */
export const chainOf = (records: Buffer, about: Pick<EvidenceStatement, 'uuid' | 'stream' | 'hour'>): Buffer => {
  let link = sha256(Buffer.from(`reelvault-records-1\n${about.uuid}\n${about.stream}\n${about.hour}\n`, 'utf8'));
  for (let at = 0; at + indexSlotBytes <= records.length; at += indexSlotBytes)
    link = sha256(link, records.subarray(at, at + indexSlotBytes));
  return link;
};

const hourUs = 3_600_000_000;

const encode = (statement: EvidenceStatement): Buffer => {
  const bytes = Buffer.alloc(signatureBytes);
  const name = Buffer.from(statement.stream, 'utf8');
  if (name.length > longestName) throw new TypeError(`Expected a stream name of at most ${longestName} bytes`);
  bytes.write(magic, 'latin1');
  bytes.writeUInt32LE(signatureBytes, 8);
  bytes.writeUInt32LE(statement.recovered ? 1 : 0, 12);
  bytes.writeBigInt64LE(BigInt(statement.hour * hourUs), 16);
  bytes.write(statement.uuid, 24, 16, 'hex');
  bytes.writeBigUInt64LE(BigInt(statement.number), 40);
  bytes.writeBigInt64LE(BigInt(Math.round(statement.signedAt * 1000)), 48);
  bytes.writeUInt32LE(statement.records, 56);
  bytes.writeUInt32LE(statement.hashed, 60);
  bytes.writeBigUInt64LE(BigInt(statement.reelBytes), 64);
  statement.previous.copy(bytes, 72);
  statement.link.copy(bytes, 104);
  statement.key.copy(bytes, 136);
  bytes.writeUInt32LE(name.length, 168);
  name.copy(bytes, 172);
  return bytes;
};

/** The file for a statement. `key` is an Ed25519 private key. */
export const signStatement = (statement: EvidenceStatement, key: KeyObject): Buffer => {
  const bytes = encode(statement);
  sign(null, bytes.subarray(0, signedBytes), key).copy(bytes, signedBytes);
  return bytes;
};

/** Undefined where the bytes are no signature file of this layout. Says nothing of the signature. */
export const decodeStatement = (bytes: Buffer): EvidenceStatement | undefined => {
  if (bytes.length !== signatureBytes || bytes.toString('latin1', 0, 8) !== magic) return undefined;
  const nameBytes = bytes.readUInt32LE(168);
  if (bytes.readUInt32LE(8) !== signatureBytes || nameBytes > longestName) return undefined;
  const hour = Number(bytes.readBigInt64LE(16)) / hourUs;
  if (!Number.isSafeInteger(hour) || hour < 0) return undefined;
  return {
    recovered: (bytes.readUInt32LE(12) & 1) !== 0,
    hour,
    uuid: bytes.toString('hex', 24, 40),
    number: Number(bytes.readBigUInt64LE(40)),
    signedAt: Number(bytes.readBigInt64LE(48)) / 1000,
    records: bytes.readUInt32LE(56),
    hashed: bytes.readUInt32LE(60),
    reelBytes: Number(bytes.readBigUInt64LE(64)),
    previous: Buffer.from(bytes.subarray(72, 104)),
    link: Buffer.from(bytes.subarray(104, 136)),
    key: Buffer.from(bytes.subarray(136, 168)),
    stream: bytes.toString('utf8', 172, 172 + nameBytes),
  };
};

export const signatureHolds = (bytes: Buffer, publicKey: KeyObject): boolean =>
  verify(null, bytes.subarray(0, signedBytes), publicKey, bytes.subarray(signedBytes));
