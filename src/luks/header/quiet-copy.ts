import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Header, readHeader } from './read-header.ts';

/** Writes a new file as long as the container that holds both copies of its header and no key material. */
const copyMetadata = async (file: string, copy: FileHandle, bytes: number, size: number): Promise<void> => {
  const original = await open(file, 'r');
  try {
    const metadata = Buffer.alloc(bytes);
    await original.read(metadata, 0, bytes, 0);
    await copy.write(metadata, 0, bytes, 0);
    await copy.truncate(size);
  } finally {
    await original.close();
  }
};

/**
 * Runs `look` on a path at which cryptsetup reads the header of `file`. cryptsetup rewrites a damaged copy of a LUKS2 header whenever it
 * reads one; where the two copies do not agree, it gets a private file to do that to. Throws `not-found`.
 */
export const withQuietHeader = async <T>(
  file: string,
  look: (path: string, header: Header) => Promise<T>,
): Promise<T> => {
  const header = await readHeader(file);
  if (header.type !== 'luks2' || header.agree) return look(file, header);
  const name = path.join(tmpdir(), `reelvault-header-${randomUUID()}`);
  const copy = await open(name, 'wx', 0o600);
  try {
    await copyMetadata(file, copy, Math.min(2 * header.current.bytes, header.size), header.size);
    return await look(name, header);
  } finally {
    await copy.close();
    await rm(name, { force: true });
  }
};
