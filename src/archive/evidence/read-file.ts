/** Reads a small file of a volume. Blocks its thread. */
import { closeSync, constants, readSync } from 'node:fs';
import { type VolumeFiles, whenMissing } from '../volume-files.ts';

/** Undefined where there is none. Of a longer one than `most`, one byte more than that: so its length tells. */
export const readFileAt = (files: Pick<VolumeFiles, 'open'>, path: string, most: number): Buffer | undefined => {
  const fd = whenMissing(() => files.open(path, constants.O_RDONLY | constants.O_NONBLOCK), -1);
  if (fd < 0) return undefined;
  try {
    const pieces: Buffer[] = [];
    for (let at = 0; at <= most; ) {
      const piece = Buffer.allocUnsafe(Math.min(128 * 1024, most + 1 - at));
      const got = readSync(fd, piece, 0, piece.length, at);
      if (got === 0) break;
      pieces.push(piece.subarray(0, got));
      at += got;
    }
    return Buffer.concat(pieces);
  } finally {
    closeSync(fd);
  }
};
