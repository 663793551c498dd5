import { open } from 'node:fs/promises';
import { removeFile } from './directories.ts';

/** Bytes written over at a time. */
const piece = 1024 * 1024;

/**
 * Overwrites a file that holds keys, and unlinks it: on a disk that writes in place nothing of it is left. A filesystem that writes
 * elsewhere (copy on write) and a flash disk keep what they like; nothing here can change that. One link only, or the others lose it, too.
 */
export const shred = async (file: string): Promise<void> => {
  const handle = await open(file, 'r+').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (handle === undefined) return;
  try {
    const { size } = await handle.stat();
    const zeros = Buffer.alloc(piece);
    for (let offset = 0; offset < size; offset += piece) {
      await handle.write(zeros, 0, Math.min(piece, size - offset), offset);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  await removeFile(file);
};
