/** Containers for the tests, made by cryptsetup or qemu-img, never by us; and edits of a LUKS2 header that keep it valid. */
import { createHash } from 'node:crypto';
import { open, truncate } from 'node:fs/promises';
import { fastPbkdf, must } from './support.ts';

export const MiB = 2 ** 20;

/** An empty LUKS2 container of `bytes`. */
export const luks2 = async (file: string, key: string, bytes: number, args: readonly string[] = []): Promise<void> => {
  await must('fallocate', ['-l', String(bytes), file]);
  await must('cryptsetup', ['luksFormat', '-q', '--type', 'luks2', ...fastPbkdf, ...args, file, '--key-file', key]);
};

/** An empty LUKS1 container of `bytes`. */
export const luks1 = async (file: string, key: string, bytes: number, args: readonly string[] = []): Promise<void> => {
  await must('fallocate', ['-l', String(bytes), file]);
  const format = ['luksFormat', '-q', '--type', 'luks1', '--pbkdf-force-iterations', '1000'];
  await must('cryptsetup', [...format, ...args, file, '--key-file', key]);
};

/** Encrypts the plain file in place, by cryptsetup's offline reencryption; its last 32 MiB are lost to the header. */
export const encryptInPlace = async (file: string, key: string, sectorSize: number, keyBits: number): Promise<void> => {
  const how = ['--encrypt', '--type', 'luks2', '--reduce-device-size', '32M', '--force-offline-reencrypt', '-q'];
  const form = ['--sector-size', String(sectorSize), '--key-size', String(keyBits), ...fastPbkdf];
  await must('cryptsetup', ['reencrypt', ...how, ...form, '--key-file', key, file]);
};

/** Decrypts a LUKS2 container in place, by cryptsetup: the payload, from byte 0. */
export const decryptInPlace = async (file: string, key: string): Promise<void> => {
  const how = ['--decrypt', '--header', `${file}.header`, '--force-offline-reencrypt', '-q'];
  await must('cryptsetup', ['reencrypt', ...how, '--key-file', key, file]);
};

export interface Metadata {
  keyslots: Record<string, { type: string; area: { encryption: string } & Record<string, unknown> }>;
  segments: Record<string, Record<string, unknown>>;
  config: Record<string, unknown>;
}

/** Changes the JSON of both header copies and sets their checksums right (LUKS2 on-disk format, section 2). */
export const editLuks2 = async (file: string, edit: (metadata: Metadata) => void): Promise<void> => {
  const handle = await open(file, 'r+');
  try {
    const binary = Buffer.alloc(4096);
    await handle.read(binary, 0, 4096, 0);
    const size = Number(binary.readBigUInt64BE(8));
    for (const offset of [0, size]) {
      const header = Buffer.alloc(size);
      await handle.read(header, 0, size, offset);
      const metadata = JSON.parse(header.toString('utf8', 4096, header.indexOf(0, 4096))) as Metadata;
      edit(metadata);
      header.fill(0, 4096).write(JSON.stringify(metadata), 4096);
      header.fill(0, 448, 512);
      createHash('sha256').update(header).digest().copy(header, 448);
      await handle.write(header, 0, size, offset);
    }
  } finally {
    await handle.close();
  }
};

/** Overwrites what is at `offset` of a file. */
export const patch = async (file: string, offset: number, bytes: Buffer): Promise<void> => {
  const handle = await open(file, 'r+');
  await handle.write(bytes, 0, bytes.length, offset);
  await handle.close();
};

export const damage = (file: string, offset: number, bytes: number): Promise<void> =>
  patch(file, offset, Buffer.alloc(bytes, 0xa5));

export const grow = (file: string, bytes: number): Promise<void> => truncate(file, bytes);

/** Writes all of `bytes` in pieces of many lengths, none of them whole sectors. */
export const writePieces = async (file: string, bytes: Buffer): Promise<void> => {
  const handle = await open(file, 'r+');
  for (let at = 0, piece = 1; at < bytes.length; piece = (piece * 7 + 13) % 700_001) {
    const length = Math.min(piece, bytes.length - at);
    await handle.write(bytes, at, length, at);
    at += length;
  }
  await handle.sync();
  await handle.close();
};
