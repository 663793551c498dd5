import { open, stat } from 'node:fs/promises';
import { exists, removeFile } from './directories.ts';
import { overwriteArea } from './headers/header-area.ts';

/**
 * Overwrites a file, syncs it, unlinks it and syncs its directory; the answer is its bytes, 0 where it was gone already. What a
 * filesystem that copies on write, or a disk that moves blocks, keeps of it is out of reach.
 */
export const shred = async (file: string): Promise<number> => {
  if (!(await exists(file))) return 0;
  const { size } = await stat(file);
  // A hole would be filled for nothing; its blocks were never written.
  const handle = await open(file, 'r');
  const used: [number, number][] = [];
  try {
    const piece = 64 * 1024;
    const memory = Buffer.allocUnsafeSlow(Math.min(piece, size));
    for (let at = 0; at < size; at += piece) {
      const bytes = memory.subarray(0, Math.min(piece, size - at));
      await handle.read(bytes, 0, bytes.length, at);
      if (bytes.some((byte) => byte !== 0)) used.push([at, at + bytes.length]);
    }
  } finally {
    await handle.close();
  }
  for (const [start, end] of used) await overwriteArea(file, start, end);
  await removeFile(file);
  return size;
};
