import { createHash, getHashes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';

/** 64-bit numbers are decimal strings in LUKS2's JSON. */
const long = Type.String({ pattern: '^[0-9]{1,20}$' });
const named = <T extends Type.TSchema>(schema: T) => Type.Record(Type.String({ pattern: '^[0-9]{1,10}$' }), schema);

/** The parts of the JSON area that we read; what else is there stays cryptsetup's to judge. */
const metadataSchema = Type.Object({
  keyslots: named(
    Type.Object({
      type: Type.String(),
      key_size: Type.Integer(),
      area: Type.Object({ offset: long, size: long, encryption: Type.Optional(Type.String()) }),
      kdf: Type.Optional(Type.Object({ type: Type.String(), salt: Type.String() })),
    }),
  ),
  tokens: named(Type.Object({ type: Type.String() })),
  segments: named(
    Type.Object({
      type: Type.String(),
      offset: long,
      size: Type.Union([long, Type.Literal('dynamic')]),
      encryption: Type.Optional(Type.String()),
      sector_size: Type.Optional(Type.Number()),
      flags: Type.Optional(Type.Array(Type.String())),
      integrity: Type.Optional(Type.Unknown()),
    }),
  ),
  digests: named(
    Type.Object({
      keyslots: Type.Array(Type.String()),
      segments: Type.Array(Type.String()),
      digest: Type.String(),
    }),
  ),
  config: Type.Object({
    json_size: long,
    keyslots_size: long,
    requirements: Type.Optional(Type.Object({ mandatory: Type.Optional(Type.Array(Type.String())) })),
  }),
});
export type Luks2Metadata = Static<typeof metadataSchema>;

/** One of the two copies of a LUKS2 header. */
export interface Luks2Copy {
  readonly place: 'primary' | 'secondary';
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes of this copy. */
  readonly bytes: number;
  /** Counts the writes, as a decimal number; the copy with the higher one is the newer. */
  readonly sequence: string;
  readonly uuid: string;
  readonly metadata: Luks2Metadata;
  /** The JSON area up to its first zero: equal in both copies of a whole header. */
  readonly json: Buffer;
}

/** Why a copy cannot be used. `magic`: whether there is one at all. */
export interface BrokenCopy {
  readonly place: 'primary' | 'secondary';
  readonly offset: number;
  readonly magic: boolean;
  readonly problem: string;
}

/** The only sizes of a header copy, hence the only places of the secondary one (LUKS2 on-disk format, section 2.2). */
export const copySizes = [0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000] as const;
const binaryBytes = 4096;
const checksum = { at: 448, bytes: 64 } as const;
const magics = { primary: Buffer.from('LUKS\xba\xbe', 'latin1'), secondary: Buffer.from('SKUL\xba\xbe', 'latin1') };

const text = (header: Buffer, at: number, bytes: number): string =>
  header.toString('latin1', at, at + bytes).replace(/\0.*$/s, '');

const checksumHolds = (header: Buffer): string | undefined => {
  const algorithm = text(header, 72, 32);
  if (!getHashes().includes(algorithm)) return `a checksum of an unknown kind (${JSON.stringify(algorithm)})`;
  const blank = Buffer.from(header);
  blank.fill(0, checksum.at, checksum.at + checksum.bytes);
  const found = createHash(algorithm).update(blank).digest();
  const holds = found.equals(header.subarray(checksum.at, checksum.at + Math.min(found.length, checksum.bytes)));
  return holds ? undefined : 'a checksum that does not fit its bytes';
};

const parseJson = (json: Buffer): Luks2Metadata | string => {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch {
    return 'metadata that is no JSON';
  }
  return Value.Check(metadataSchema, value) ? value : 'metadata of another form';
};

const readExactly = async (file: FileHandle, offset: number, bytes: number): Promise<Buffer | undefined> => {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, offset);
  return bytesRead === bytes ? buffer : undefined;
};

/** Reads and checks the copy at `offset`. */
export const readCopy = async (
  file: FileHandle,
  place: Luks2Copy['place'],
  offset: number,
): Promise<Luks2Copy | BrokenCopy> => {
  const broken = (problem: string, magic = true): BrokenCopy => ({ place, offset, magic, problem });
  const binary = await readExactly(file, offset, binaryBytes);
  if (binary === undefined) return broken('a file that ends before it', false);
  if (!binary.subarray(0, 6).equals(magics[place])) return broken('no header', false);
  if (binary.readUInt16BE(6) !== 2) return broken(`version ${binary.readUInt16BE(6)}`);
  const size = binary.readBigUInt64BE(8);
  const bytes = copySizes.find((known) => BigInt(known) === size);
  if (bytes === undefined) return broken(`a header size of ${size} bytes`);
  if (binary.readBigUInt64BE(256) !== BigInt(offset)) return broken('the offset of another place');
  if (place === 'secondary' && bytes !== offset) return broken('a size that does not go with its place');
  const header = await readExactly(file, offset, bytes);
  if (header === undefined) return broken('a file that ends within it');
  const wrong = checksumHolds(header);
  if (wrong !== undefined) return broken(wrong);
  const end = header.indexOf(0, binaryBytes);
  const json = header.subarray(binaryBytes, end < 0 ? bytes : end);
  const metadata = parseJson(json);
  if (typeof metadata === 'string') return broken(metadata);
  const sequence = String(binary.readBigUInt64BE(16));
  return { place, offset, bytes, sequence, uuid: text(binary, 168, 40).toLowerCase(), metadata, json };
};

export const isWhole = (copy: Luks2Copy | BrokenCopy): copy is Luks2Copy => 'metadata' in copy;
