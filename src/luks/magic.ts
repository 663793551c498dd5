import { open } from 'node:fs/promises';
import { ReelError, throwStorageFailure } from '../errors.ts';

const primary = Buffer.from('LUKS\xba\xbe', 'latin1');
const secondary = Buffer.from('SKUL\xba\xbe', 'latin1');
/** Where LUKS2's second header may lie: it follows the first, whose size is one of these (LUKS2 on-disk format, section 2). */
const secondaryOffsets = [0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000];

/**
 * Whether the file bears the magic bytes of a LUKS header, intact or not: tells a damaged container from something else.
 * Throws `not-found` when the file cannot be opened.
 */
export const hasLuksMagic = async (file: string): Promise<boolean> => {
  const handle = await open(file, 'r').catch((cause: NodeJS.ErrnoException) => {
    throwStorageFailure(cause);
    throw new ReelError('not-found', { expected: `a container at ${file}`, got: cause.code ?? cause.message, cause });
  });
  try {
    const bytes = Buffer.alloc(primary.length);
    const at = async (offset: number, magic: Buffer): Promise<boolean> => {
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset);
      return bytesRead === bytes.length && bytes.equals(magic);
    };
    if (await at(0, primary)) return true;
    for (const offset of secondaryOffsets) if (await at(offset, secondary)) return true;
    return false;
  } finally {
    await handle.close();
  }
};
